"""Providers: per library, the verbs of ``matfun.ops`` that it does better than the array-API default."""
