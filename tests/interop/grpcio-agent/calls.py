"""A foreign gRPC client against a real agent. Prints "ok NAME" or "not ok NAME: why" for each check."""
import sys
import grpc

identity = lambda b: b


def check(name, expected, call):
    try:
        call()
        got = grpc.StatusCode.OK
    except grpc.RpcError as error:
        got = error.code()
    print(f"ok {name}" if got == expected else f"not ok {name}: {got}, wanted {expected}")


def unary(channel, method, request=b""):
    return channel.unary_unary(method, request_serializer=identity, response_deserializer=identity)(request, timeout=10)


def first(channel, method, request=b""):
    return next(channel.unary_stream(method, request_serializer=identity, response_deserializer=identity)(request, timeout=10))


def field(number, text):
    data = text.encode()
    return bytes([number << 3 | 2, len(data)]) + data


def read(path):
    with open(path, "rb") as file:
        return file.read()


def secure(address, root, key=None, certificate=None):
    credentials = grpc.ssl_channel_credentials(read(root), read(key) if key else None, read(certificate) if certificate else None)
    return grpc.secure_channel(address, credentials, options=[("grpc.ssl_target_name_override", "overlayd-manager")])


def socket_checks(path):
    channel = grpc.insecure_channel(f"unix:{path}", options=[("grpc.default_authority", "localhost")])
    check("GetVersion over the Unix socket", grpc.StatusCode.OK, lambda: unary(channel, "/overlay.v1.Admin/GetVersion"))
    check("GetStatus over the Unix socket", grpc.StatusCode.OK, lambda: unary(channel, "/overlay.v1.Admin/GetStatus"))
    check("an unknown network", grpc.StatusCode.NOT_FOUND,
          lambda: unary(channel, "/overlay.v1.Admin/InspectNetwork", field(1, "nothing")))
    check("a bad sandbox name", grpc.StatusCode.INVALID_ARGUMENT,
          lambda: unary(channel, "/overlay.v1.Admin/CreateSandbox", field(1, "../up")))
    check("an unknown method", grpc.StatusCode.UNIMPLEMENTED, lambda: unary(channel, "/overlay.v1.Admin/Nothing"))

    events = channel.unary_stream("/overlay.v1.Admin/WatchEvents", request_serializer=identity, response_deserializer=identity)(b"", timeout=10)

    def watch():
        iterator = iter(events)
        unary(channel, "/overlay.v1.Admin/CreateNetwork", field(1, "watched"))
        assert b"watched" in next(iterator)
        events.cancel()

    check("WatchEvents streams", grpc.StatusCode.OK, watch)


def manager_checks(address, root, manager, worker, foreign):
    check("a manager lists nodes", grpc.StatusCode.OK,
          lambda: unary(secure(address, root, *manager), "/overlay.v1.Control/ListNodes"))
    check("a manager watches", grpc.StatusCode.OK, lambda: first(secure(address, root, *manager), "/overlay.v1.Control/Watch"))
    check("a worker may not list nodes", grpc.StatusCode.PERMISSION_DENIED,
          lambda: unary(secure(address, root, *worker), "/overlay.v1.Control/ListNodes"))
    check("a worker may not watch", grpc.StatusCode.PERMISSION_DENIED,
          lambda: first(secure(address, root, *worker), "/overlay.v1.Control/Watch"))
    check("nobody lists nodes without a certificate", grpc.StatusCode.UNAUTHENTICATED,
          lambda: unary(secure(address, root), "/overlay.v1.Control/ListNodes"))
    check("anybody may ask for the root", grpc.StatusCode.OK,
          lambda: unary(secure(address, root), "/overlay.v1.Bootstrap/GetRootCertificate"))
    check("a made-up proof is refused", grpc.StatusCode.PERMISSION_DENIED,
          lambda: unary(secure(address, root), "/overlay.v1.Bootstrap/IssueCertificate"))
    check("an unknown method is not there", grpc.StatusCode.UNIMPLEMENTED,
          lambda: unary(secure(address, root, *manager), "/overlay.v1.Control/Nothing"))
    check("a foreign CA's certificate is refused", grpc.StatusCode.UNAVAILABLE,
          lambda: unary(secure(address, root, *foreign), "/overlay.v1.Control/ListNodes"))


if sys.argv[1] == "socket":
    socket_checks(sys.argv[2])
else:
    folder = sys.argv[3]
    pair = lambda name: (f"{folder}/{name}.key", f"{folder}/{name}.crt")
    manager_checks(sys.argv[2], f"{folder}/ca.crt", pair("manager"), pair("worker"), pair("foreign"))
