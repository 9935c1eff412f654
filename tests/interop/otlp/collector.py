"""An OpenTelemetry collector for tests: takes OTLP by gRPC or by HTTP and writes one JSON line for each span and metric.

    collector.py grpc|http ADDRESS:PORT FILE

The messages are read by their field numbers (opentelemetry-proto 1.x, trace.proto, metrics.proto, common.proto).
"""
import json
import struct
import sys
import threading

out_lock = threading.Lock()


def fields(data):
    """Yields (number, value): an int for varints and fixed numbers, bytes for the rest."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        number, wire = key >> 3, key & 7
        if wire == 0:
            yield number, varint()
        elif wire == 1:
            yield number, data[at:at + 8]
            at += 8
        elif wire == 2:
            length = varint()
            yield number, data[at:at + length]
            at += length
        elif wire == 5:
            yield number, data[at:at + 4]
            at += 4
        else:
            raise ValueError(f"wire type {wire}")


def all_of(data, number):
    return [value for found, value in fields(data) if found == number]


def one_of(data, number, default=None):
    values = all_of(data, number)
    return values[-1] if values else default


def text(data, number):
    return (one_of(data, number) or b"").decode()


def fixed64(data, number):
    value = one_of(data, number)
    return struct.unpack("<Q", value)[0] if value else 0


def double(data, number):
    value = one_of(data, number)
    return struct.unpack("<d", value)[0] if value else None


def any_value(data):
    for number, value in fields(data):
        if number == 1:
            return value.decode()
        if number == 2:
            return bool(value)
        if number == 3:
            return value
        if number == 4:
            return struct.unpack("<d", value)[0]
    return None


def attributes(data, number):
    return {text(pair, 1): any_value(one_of(pair, 2, b"")) for pair in all_of(data, number)}


def span(data):
    status = one_of(data, 15, b"")
    return {
        "trace": one_of(data, 1, b"").hex(), "span": one_of(data, 2, b"").hex(), "parent": one_of(data, 4, b"").hex(),
        "name": text(data, 5), "kind": one_of(data, 6, 0), "start": fixed64(data, 7), "end": fixed64(data, 8),
        "attributes": attributes(data, 9), "status": one_of(status, 3, 0), "message": text(status, 2),
    }


def metric(data):
    points = []
    for kind, number in (("gauge", 5), ("sum", 7), ("histogram", 9)):
        for body in all_of(data, number):
            for point in all_of(body, 1):
                if kind == "histogram":
                    points.append({"kind": kind, "count": fixed64(point, 4), "sum": double(point, 5), "attributes": attributes(point, 9)})
                else:
                    whole = one_of(point, 6)
                    value = struct.unpack("<q", whole)[0] if whole else double(point, 4)
                    points.append({"kind": kind, "value": value, "attributes": attributes(point, 7)})
    return {"name": text(data, 1), "unit": text(data, 3), "points": points}


def take(signal, body, file):
    """signal: "span" or "metric"; the three levels around them have the same numbers in both requests."""
    read = span if signal == "span" else metric
    lines = []
    for of_resource in all_of(body, 1):
        resource = attributes(one_of(of_resource, 1, b""), 1)
        for of_scope in all_of(of_resource, 2):
            scope = text(one_of(of_scope, 1, b""), 1)
            for item in all_of(of_scope, 2):
                lines.append(json.dumps({"signal": signal, "resource": resource, "scope": scope, **read(item)}))
    with out_lock, open(file, "a") as out:
        out.write("".join(line + "\n" for line in lines))


def serve_http(address, file):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])) if "Content-Length" in self.headers else self.chunks()
            signal = {"/v1/traces": "span", "/v1/metrics": "metric"}.get(self.path)
            if signal and self.headers["Content-Type"] == "application/x-protobuf":
                take(signal, body, file)
                self.send_response(200)
            else:
                self.send_response(400)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def chunks(self):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_):
            pass

    host, port = address.rsplit(":", 1)
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()


def serve_grpc(address, file):
    from concurrent import futures

    import grpc

    def handler(signal):
        def export(request, _):
            take(signal, request, file)
            return b""

        return grpc.method_handlers_generic_handler(
            f"opentelemetry.proto.collector.{'trace' if signal == 'span' else 'metrics'}.v1."
            f"{'Trace' if signal == 'span' else 'Metrics'}Service",
            {"Export": grpc.unary_unary_rpc_method_handler(export)})

    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((handler("span"), handler("metric")))
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    open(sys.argv[3], "a").close()
    (serve_grpc if sys.argv[1] == "grpc" else serve_http)(sys.argv[2], sys.argv[3])
