// The commands speak JSON throughout: every file of this target, and its tests, see the values.
@_exported public import StrictJSON
