using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Overlay.Linux.Namespaces;

namespace Overlay.Bench;

/// <summary>Echo requests (RFC 792) from inside a namespace, every few milliseconds, until one is answered.</summary>
internal static class FirstReply
{
    private const int ResendMilliseconds = 2;

    /// <summary>A raw ICMP socket that lives in the namespace and is used from here.</summary>
    public static Socket Open(string namespacePath)
    {
        using NamespaceHandle handle = NamespaceHandle.Open(namespacePath);
        return InNamespace.Run(
            handle, () => new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp));
    }

    public static void Wait(string namespacePath, string address, TimeSpan limit)
    {
        using Socket socket = Open(namespacePath);
        Wait(socket, IPAddress.Parse(address), limit);
    }

    /// <exception cref="TimeoutException">No answer within the limit.</exception>
    public static void Wait(Socket socket, IPAddress address, TimeSpan limit)
    {
        byte[] request = Request();
        byte[] reply = new byte[256];
        IPEndPoint target = new(address, 0);
        long start = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(start) < limit)
        {
            try
            {
                socket.SendTo(request, target);
            }
            catch (SocketException e) when (
                e.SocketErrorCode is SocketError.NetworkUnreachable or SocketError.HostUnreachable)
            {
                // The address or the neighbour is not there yet.
            }

            while (socket.Poll(ResendMilliseconds * 1000, SelectMode.SelectRead))
            {
                int length = socket.Receive(reply);
                int header = (reply[0] & 15) * 4;

                // Type 0 is a reply; the source is at octet 12 of the IP header.
                if (length >= header + 8 && reply[header] == 0
                    && new IPAddress(reply.AsSpan(12, 4)).Equals(address))
                {
                    return;
                }
            }
        }

        throw new TimeoutException($"{address} did not answer an echo request within {limit.TotalSeconds} s");
    }

    private static byte[] Request()
    {
        byte[] request = new byte[16];
        request[0] = 8;
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(4), (ushort)Environment.ProcessId);
        uint sum = 0;
        for (int i = 0; i < request.Length; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(request.AsSpan(i));
        }

        sum = (sum & 0xffff) + (sum >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(2), (ushort)~(sum + (sum >> 16)));
        return request;
    }
}
