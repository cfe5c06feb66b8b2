"""The only code that knows ``azure.functions``: one module for each kind of trigger."""
