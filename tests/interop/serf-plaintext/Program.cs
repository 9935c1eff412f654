using System.Net;
using Overlay.Interop.SerfPlaintext;

// serf-plaintext NAME ADDRESS:PORT [SEED...]: one member of ours without a key. A line on standard input is a command:
// event NAME PAYLOAD, query NAME, leave. What happens is told on standard output, a line each.
using Peer peer = new(args[0], IPEndPoint.Parse(args[1]));
peer.Run([.. args[2..].Select(IPEndPoint.Parse)], Console.In, Console.Out);
