"""The resource graph of a program, captured without engine, cloud or credentials, and drawn."""
