"""What runs beside one node: loading and checking its chunk tables, executing chunk statements.

Plain classes, used through a runtime's handles; they know one node and no registry.
"""
