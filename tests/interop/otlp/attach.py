"""Attaches by gRPC within a trace of the caller's: attach.py SOCKET NETWORK SANDBOX TRACEPARENT."""
import sys

import grpc

identity = lambda b: b
path, network, sandbox, traceparent = sys.argv[1:]
channel = grpc.insecure_channel(f"unix:{path}", options=[("grpc.default_authority", "localhost")])
call = channel.unary_unary("/overlay.v1.Admin/Attach", request_serializer=identity, response_deserializer=identity)
request = b"".join(bytes([number << 3 | 2, len(text)]) + text.encode() for number, text in ((1, network), (2, sandbox)))
call(request, timeout=10, metadata=(("traceparent", traceparent),))
