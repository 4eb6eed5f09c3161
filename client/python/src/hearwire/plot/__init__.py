"""`python -m hearwire plot`: a picture of what a server hears in one sound."""
