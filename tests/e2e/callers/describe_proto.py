"""What a proto's description says, in a form that two of them can be compared in."""


def describe(file):
    found = {}

    def walk(message, prefix):
        name = prefix + message.name
        for field in message.fields:
            found[f"{name}.{field.name}"] = [field.number, field.type]
        for nested in message.nested_types:
            walk(nested, name + ".")

    for message in file.message_types_by_name.values():
        walk(message, "")
    for enum in file.enum_types_by_name.values():
        for value in enum.values:
            found[f"{enum.name}.{value.name}"] = [value.number, 0]
    for service in file.services_by_name.values():
        for method in service.methods:
            found[f"{service.full_name}.{method.name}"] = [method.input_type.name, method.output_type.name]
    return found
