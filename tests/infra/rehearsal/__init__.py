"""A rehearsal of an apply: the unmodified program, an engine's double, and moto for AWS.

The double does what Pulumi's engine does with what a program registers: it compares with its state
and creates, leaves, updates, replaces or deletes, here by plain calls of boto3. It is not
``pulumi up``, and passing it does not show

- that AWS accepts what it is told: moto validates little, and not as AWS does;
- that things are there when an answer says so: moto has no eventual consistency;
- quotas, prices, capacity, or what a service refuses in one region and not in another;
- what a policy permits: moto asks next to none of them, whoever calls;
- that a machine boots: its user data is kept and never run;
- what Pulumi's own provider does between a program and AWS.

``services.NOT_IN_MOTO`` names the types that moto does not know: those the double keeps for itself.
"""
