"""The Pulumi programs: a stack file in, resources out."""
