"""Commands for developers and operators, one package or module each."""
