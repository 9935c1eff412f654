"""grpcio as a client of our server: client.py TARGET. Prints a line per check."""
import sys

import grpc

from echo_messages import SERVICE, EchoReply, EchoRequest

target = sys.argv[1]
channel = grpc.insecure_channel(target)
kinds = {"Unary": channel.unary_unary, "Collect": channel.stream_unary,
         "Repeat": channel.unary_stream, "Chat": channel.stream_stream}


def method(name, kind=None):
    return kinds[kind or name](SERVICE + name if "/" not in name else name,
                               request_serializer=EchoRequest.SerializeToString,
                               response_deserializer=EchoReply.FromString)


unary, collect, repeat, chat = (method(name) for name in kinds)
LIMIT = 20


def same(expected, actual):
    if expected != actual:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


def refused(code, call):
    try:
        call()
    except grpc.RpcError as error:
        same(code, error.code())
        return error
    raise AssertionError("the call succeeded")


def check_unary():
    same("hello", unary(EchoRequest(text="hello"), timeout=LIMIT).text)


def check_empty():
    same("", unary(EchoRequest(), timeout=LIMIT).text)


def check_large():
    payload = bytes(60_000)
    same(payload, unary(EchoRequest(payload=payload), timeout=LIMIT).payload)


def check_client_stream():
    same("abc", collect((EchoRequest(text=text) for text in "abc"), timeout=LIMIT).text)


def check_empty_client_stream():
    same("", collect(iter([]), timeout=LIMIT).text)


def check_server_stream():
    same(list(range(50)), [reply.index for reply in repeat(EchoRequest(text="r", count=50), timeout=LIMIT)])


def check_slow_reader():
    text = "x" * 10_000
    same(2000, sum(1 for reply in repeat(EchoRequest(text=text, count=2000), timeout=LIMIT) if reply.text == text))


def check_duplex():
    texts = [str(i) for i in range(20)]
    same(texts, [reply.text for reply in chat((EchoRequest(text=text) for text in texts), timeout=LIMIT)])


def check_metadata():
    sent = (("x-text", "plain"), ("x-raw-bin", b"\x00\x01\xfe\xff"))
    _, call = unary.with_call(EchoRequest(behaviour="headers"), timeout=LIMIT, metadata=sent)
    initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
    same("plain", initial.get("x-text"))
    same(b"\x00\x01\xfe\xff", initial.get("x-raw-bin"))
    same("word", trailing.get("last"))
    same(b"\x00\xff", trailing.get("last-bin"))


def check_status():
    error = refused(grpc.StatusCode.FAILED_PRECONDITION,
                    lambda: unary(EchoRequest(behaviour="fail"), timeout=LIMIT))
    same("größer % als\n1", error.details())
    trailing = dict(error.trailing_metadata())
    same("asked", trailing.get("reason"))
    same(b"\x01\x02\xff", trailing.get("grpc-status-details-bin"))


def check_late_status():
    replies = repeat(EchoRequest(count=1, behaviour="fail"), timeout=LIMIT)
    same(0, next(replies).index)
    refused(grpc.StatusCode.DATA_LOSS, lambda: next(replies))


def check_unexpected_exception():
    error = refused(grpc.StatusCode.UNKNOWN, lambda: unary(EchoRequest(behaviour="throw"), timeout=LIMIT))
    same(False, "secret" in error.details())


def check_unknown_method():
    refused(grpc.StatusCode.UNIMPLEMENTED,
            lambda: method("Missing", "Unary")(EchoRequest(), timeout=LIMIT))


def check_unknown_service():
    refused(grpc.StatusCode.UNIMPLEMENTED,
            lambda: method("/no.such.Service/Method", "Unary")(EchoRequest(), timeout=LIMIT))


def check_message_limit():
    refused(grpc.StatusCode.RESOURCE_EXHAUSTED,
            lambda: unary(EchoRequest(payload=bytes(100_000)), timeout=LIMIT))


def check_compression():
    refused(grpc.StatusCode.UNIMPLEMENTED,
            lambda: unary(EchoRequest(text="x" * 1000), timeout=LIMIT, compression=grpc.Compression.Gzip))


def check_deadline():
    refused(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: unary(EchoRequest(behaviour="wait", text="late"), timeout=0.3))


def check_cancellation():
    replies = repeat(EchoRequest(count=1, behaviour="wait", text=target), timeout=LIMIT)
    next(replies)
    replies.cancel()
    same(target, unary(EchoRequest(behaviour="was-cancelled", text=target), timeout=LIMIT).text)


def check_many():
    calls = [unary.future(EchoRequest(text=str(i)), timeout=LIMIT) for i in range(100)]
    same([str(i) for i in range(100)], [call.result().text for call in calls])


failed = 0
for name, check in list(globals().items()):
    if name.startswith("check_"):
        try:
            check()
            print(f"ok grpcio at {target.split(':')[0]}: {name[6:]}")
        except Exception as error:  # One failed check must not hide the others.
            failed += 1
            print(f"not ok grpcio at {target.split(':')[0]}: {name[6:]}: {error}")
sys.exit(1 if failed else 0)
