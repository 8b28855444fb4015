"""What the tests of this folder share."""

from tests.integration.field.secured_stack import secured_stack

__all__ = ["secured_stack"]
