"""Prints, for each YAML file in some directories, whether a JSON schema takes it: one JSON object a line.

YAML is read by the core schema of YAML 1.2, as editors and JSON Schema tools do and as the decoder does; PyYAML alone
would read it as 1.1, where `off` and `yes` are booleans and 18:00 is a number.
"""

import json
import pathlib
import re
import sys

import jsonschema
import yaml


class CoreLoader(yaml.SafeLoader):
    """SafeLoader with the implicit types of YAML 1.2, refusing a key that stands twice."""

    def construct_mapping(self, node, deep=False):
        keys = [self.text(key) for key, _ in node.value]
        if len(set(keys)) < len(keys):
            raise yaml.constructor.ConstructorError(None, None, "duplicate key", node.start_mark)
        return {self.text(key): self.construct_object(value, deep=True) for key, value in node.value}

    def text(self, key):
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a text", key.start_mark)
        return key.value


CoreLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+0123456789.")),
]:
    CoreLoader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), first)
CoreLoader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value, 10))
CoreLoader.add_constructor("tag:yaml.org,2002:map", lambda loader, node: loader.construct_mapping(node))


def verdict(validator, path):
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=CoreLoader)
    except (yaml.YAMLError, ValueError) as error:
        return False, str(error).splitlines()[0]
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    return error is None, "" if error is None else error.message[:200]


def main():
    schema = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for directory in sys.argv[2:]:
        for path in sorted(pathlib.Path(directory).glob("*.yaml")):
            valid, reason = verdict(validator, path)
            print(json.dumps({"file": str(path), "valid": valid, "reason": reason}))


main()
