"""The command ``skyshard``."""
