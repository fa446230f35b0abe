"""What the engine does not show a policy pack. Only the gate (`inland regions plan`) sees it.

Read in the engine's source (`pkg/resource/deploy/step_generator.go`, `step_executor.go`) and in
`pulumi_policy` 1.21: `Analyze` gets the inputs of each resource that a program registers, and
`AnalyzeStack`, after the last step, the outputs of all that were registered, the stack among them.
Each entry is shown by a test that drives the real pack. Rules that need the whole stack run after
the last step: in a preview before anything is made, in an update only once it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NOT_SHOWN: Final[Mapping[str, str]] = {
    "invoke-region": "an invoke goes to its provider and to no analyzer",
    "known-properties": "what the engine shows has the provider's own defaults in it",
    "no-lookup": "a resource that is read and not made is never sent to an analyzer",
    "no-stack-reference": "a StackReference is read and not made: it is never sent either",
    "plain-options": "imports, other plugins and most options are not shown",
}
"""Rule to the reason why the pack cannot apply it."""
