using System.Net;
using System.Net.Sockets;
using Overlay.Linux.Sockets;

namespace Overlay.Tests.Linux;

/// <summary>By real sockets on loopback. Every wait is for something that was sent before, or has a generous limit.</summary>
public sealed class DatagramPortTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static TheoryData<string> Loopbacks => ["127.0.0.1", "::1"];

    [Theory]
    [MemberData(nameof(Loopbacks))]
    public void What_was_sent_arrives_whole_in_order_and_with_its_sender(string address)
    {
        using DatagramPort left = Open(IPAddress.Parse(address));
        using DatagramPort right = Open(IPAddress.Parse(address));
        int[] sizes = [0, 1, 1400, 9000, 65507 - 512, .. Enumerable.Range(2, 3 * DatagramPort.BatchSize)];
        foreach (int size in sizes)
        {
            left.Send(right.LocalEndPoint, Filled(size));
        }

        left.Flush();
        List<byte[]> received = ReceiveAll(right, sizes.Length, left.LocalEndPoint);
        Assert.Equal(sizes.Select(Filled), received);
        Assert.Equal((sizes.Length, (long)sizes.Sum()), (left.SentDatagrams, left.SentBytes));
        Assert.Equal((sizes.Length, (long)sizes.Sum()), (right.ReceivedDatagrams, right.ReceivedBytes));
        Assert.Equal((0, 0), (left.SendErrors, right.DroppedDatagrams));
    }

    [Fact]
    public void The_wildcard_of_ipv6_talks_ipv4_too_and_calls_it_so()
    {
        using DatagramPort both = new(new(IPAddress.IPv6Any, 0), Fail);
        using DatagramPort four = Open(IPAddress.Loopback);
        four.Send(new(IPAddress.Loopback, both.LocalEndPoint.Port), [1, 2]);
        four.Flush();
        ReceiveAll(both, 1, four.LocalEndPoint);
        both.Send(four.LocalEndPoint, [3]);
        both.Flush();
        Assert.Equal([3], Assert.Single(ReceiveAll(four, 1, new(IPAddress.Loopback, both.LocalEndPoint.Port))));
    }

    [Fact]
    public void What_cannot_be_sent_is_reported_and_the_rest_goes_out()
    {
        List<(IPEndPoint To, SocketError Error)> refused = [];
        using DatagramPort port = new(new(IPAddress.Loopback, 0), (to, error) => refused.Add((to, error)));
        IPEndPoint nowhere = new(IPAddress.Parse("240.0.0.1"), 9);
        port.Send(port.LocalEndPoint, [1]);
        port.Send(nowhere, [2]);
        port.Send(port.LocalEndPoint, [3]);
        port.Send(port.LocalEndPoint, new byte[65508]);
        port.Send(port.LocalEndPoint, new byte[70_000]);
        port.Flush();
        Assert.Equal([[1], [3]], ReceiveAll(port, 2, port.LocalEndPoint));
        Assert.Equal([nowhere, port.LocalEndPoint, port.LocalEndPoint], refused.Select(r => r.To));
        Assert.Equal([SocketError.MessageSize, SocketError.MessageSize], refused.Skip(1).Select(r => r.Error));
        Assert.Equal((2, 3), (port.SentDatagrams, port.SendErrors));
    }

    [Fact]
    public void One_that_is_woken_stops_sleeping_also_when_the_waking_came_first()
    {
        using DatagramPort port = Open(IPAddress.Loopback);
        bool work = false;
        Thread other = new(() =>
        {
            Volatile.Write(ref work, true);
            port.Wake();
        });
        other.Start();
        // Without being woken this would sleep for an hour and the test run would be ended.
        while (!Volatile.Read(ref work))
        {
            port.Wait(TimeSpan.FromHours(1), () => !Volatile.Read(ref work));
        }

        other.Join();
        port.Wait(TimeSpan.FromHours(1), () => false);
        port.Wait(TimeSpan.Zero, () => true);
        port.Wait(TimeSpan.FromMilliseconds(1), () => true);
    }

    [Fact]
    public void A_datagram_ends_the_sleep()
    {
        using DatagramPort port = Open(IPAddress.Loopback);
        port.Send(port.LocalEndPoint, [7]);
        port.Flush();
        port.Wait(TimeSpan.FromHours(1), () => true);
        Assert.Equal(1, port.Receive());
        Assert.Equal(0, port.Receive());
    }

    [Fact]
    public void More_than_fits_the_buffer_is_lost_and_counted()
    {
        using DatagramPort sender = Open(IPAddress.Loopback);
        using DatagramPort port = Open(IPAddress.Loopback);
        byte[] large = new byte[32 * 1024];
        for (int i = 0; i < 1000; i++)
        {
            sender.Send(port.LocalEndPoint, large);
            sender.Flush();
        }

        long received = 0;
        for (int count = port.Receive(); count > 0; count = port.Receive())
        {
            received += count;
        }

        Assert.InRange(received, 1, 999);
        Assert.Equal(1000 - received, port.DroppedDatagrams);
    }

    [Fact]
    public void Receiving_and_sending_allocates_nothing()
    {
        using DatagramPort port = Open(IPAddress.Loopback);
        byte[] payload = new byte[100];
        Assert.Equal(0, Allocations.Least(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                port.Send(port.LocalEndPoint, payload);
                port.Flush();
                port.Wait(Patience, static () => true);
                for (int count = port.Receive(), each = 0; each < count; each++)
                {
                    port.Source(each);
                    port.Payload(each);
                }
            }
        }));
    }

    [Fact]
    public void A_port_that_is_taken_says_so()
    {
        using DatagramPort port = Open(IPAddress.Loopback);
        Assert.Equal(
            SocketError.AddressAlreadyInUse,
            Assert.Throws<SocketException>(() => new DatagramPort(port.LocalEndPoint, Fail)).SocketErrorCode);
    }

    private static DatagramPort Open(IPAddress address) => new(new(address, 0), Fail);

    private static void Fail(IPEndPoint to, SocketError error) => Assert.Fail($"{to}: {error}");

    private static byte[] Filled(int size) => [.. Enumerable.Range(0, size).Select(i => (byte)((i * 31) + size))];

    private static List<byte[]> ReceiveAll(DatagramPort port, int expected, IPEndPoint from)
    {
        List<byte[]> received = [];
        while (received.Count < expected)
        {
            port.Wait(Patience, () => true);
            int count = port.Receive();
            Assert.NotEqual(0, count);
            for (int i = 0; i < count; i++)
            {
                Assert.Equal(from, port.Source(i));
                Assert.Same(port.Source(i), port.Source(i));
                received.Add(port.Payload(i).ToArray());
            }
        }

        return received;
    }
}
