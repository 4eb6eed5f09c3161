"""Writes the fields of tritonclient's messages as JSON, in the form of describe_proto."""

import json
import sys

from describe_proto import describe
from tritonclient.grpc import model_config_pb2, service_pb2

json.dump(describe(service_pb2.DESCRIPTOR) | describe(model_config_pb2.DESCRIPTOR), sys.stdout)
