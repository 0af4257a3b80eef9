"""Rules: which h to apply next.  One method per file; the registry finds them by walking this folder."""
