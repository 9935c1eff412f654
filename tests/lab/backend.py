# NAME: tells everyone on port 7000, TCP and UDP, its name and who asks; TCP then echoes.
import socket, socketserver, sys, threading
name = sys.argv[1]
tell = lambda peer: f"{name} {peer[0].removeprefix('::ffff:')}\n".encode()
class Tcp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(tell(self.client_address))
        while data := self.request.recv(1000):
            self.request.sendall(data)
class Udp(socketserver.BaseRequestHandler):
    def handle(self): self.request[1].sendto(tell(self.client_address), self.client_address)
class TcpServer(socketserver.ThreadingTCPServer):
    address_family, allow_reuse_address, daemon_threads, request_queue_size = socket.AF_INET6, True, True, 200
class UdpServer(socketserver.UDPServer): address_family = socket.AF_INET6
threading.Thread(target=UdpServer(("::", 7000), Udp).serve_forever, daemon=True).start()
TcpServer(("::", 7000), Tcp).serve_forever()
