"""grpcio as a server for our client. Prints its address, serves until its standard input ends."""
import collections
import sys
import threading
from concurrent import futures

import grpc

from echo_messages import EchoReply, EchoRequest

cancelled = collections.defaultdict(threading.Event)


def wait(request, context):
    done = threading.Event()
    context.add_callback(done.set)
    done.wait()
    cancelled[request.text].set()


def unary(request, context):
    if request.behaviour == "wait":
        wait(request, context)
    elif request.behaviour == "was-cancelled":
        if not cancelled[request.text].wait(15):
            context.abort(grpc.StatusCode.ABORTED, "no call was cancelled")
    elif request.behaviour == "throw":
        raise ValueError("as asked")
    elif request.behaviour == "fail":
        context.set_trailing_metadata((("reason", "asked"), ("grpc-status-details-bin", b"\x01\x02\xff")))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "größer % als\n1")
    elif request.behaviour == "headers":
        context.send_initial_metadata([entry for entry in context.invocation_metadata() if entry[0].startswith("x-")])
        context.set_trailing_metadata((("last", "word"), ("last-bin", b"\x00\xff")))
    return EchoReply(text=request.text, payload=request.payload)


def collect(requests, context):
    return EchoReply(text="".join(request.text for request in requests))


def repeat(request, context):
    for index in range(request.count):
        yield EchoReply(text=request.text, index=index)
    if request.behaviour == "fail":
        context.abort(grpc.StatusCode.DATA_LOSS, "after messages")
    if request.behaviour == "wait":
        wait(request, context)


def chat(requests, context):
    for request in requests:
        yield EchoReply(text=request.text)


def handler(make, function):
    return make(function, request_deserializer=EchoRequest.FromString, response_serializer=EchoReply.SerializeToString)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("overlay.tests.Echo", {
    "Unary": handler(grpc.unary_unary_rpc_method_handler, unary),
    "Collect": handler(grpc.stream_unary_rpc_method_handler, collect),
    "Repeat": handler(grpc.unary_stream_rpc_method_handler, repeat),
    "Chat": handler(grpc.stream_stream_rpc_method_handler, chat),
})])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"127.0.0.1:{port}", flush=True)
sys.stdin.read()
server.stop(0).wait(5)
