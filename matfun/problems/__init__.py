"""What the residual is and how h is applied: one file per problem."""
