"""The messages of tests/protos/echo.proto, built at run time: no code generator is needed."""
from google.protobuf import descriptor_pb2, descriptor_pool

FIELD = descriptor_pb2.FieldDescriptorProto
STRING, UINT32, BYTES = FIELD.TYPE_STRING, FIELD.TYPE_UINT32, FIELD.TYPE_BYTES
SERVICE = "/overlay.tests.Echo/"


def _build():
    file = descriptor_pb2.FileDescriptorProto(
        name="echo.proto", package="overlay.tests", syntax="proto3")
    for name, fields in {
        "EchoRequest": [("text", 1, STRING), ("count", 2, UINT32), ("behaviour", 3, STRING), ("payload", 4, BYTES)],
        "EchoReply": [("text", 1, STRING), ("index", 2, UINT32), ("payload", 3, BYTES)],
    }.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            message.field.add(name=field, number=number, type=kind, label=FIELD.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _class(pool, name):
    descriptor = pool.FindMessageTypeByName("overlay.tests." + name)
    try:
        from google.protobuf.message_factory import GetMessageClass
        return GetMessageClass(descriptor)
    except ImportError:
        from google.protobuf.message_factory import MessageFactory
        return MessageFactory(pool).GetPrototype(descriptor)


_pool = _build()
EchoRequest = _class(_pool, "EchoRequest")
EchoReply = _class(_pool, "EchoReply")
