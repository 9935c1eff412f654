using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Overlay.Linux.Sockets;

namespace Overlay.Tests.Linux;

/// <summary>By real sockets on loopback. Every wait is for something that was sent before, or has a generous limit.</summary>
public sealed class DatagramServerTests : IDisposable
{
    private const int LongestRequest = 100;
    private const int LongestResponse = 70_000;

    private readonly DatagramServer server = new("test", LongestRequest, LongestResponse);
    private readonly List<IDisposable> made = [];

    public void Dispose()
    {
        made.ForEach(static m => m.Dispose());
        server.Dispose();
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void Who_asks_is_answered_at_once_or_later_and_others_are_left_without(string address)
    {
        List<SocketAddress> waiting = [];
        Socket socket = Bound(address);
        Serve(socket, (ReadOnlySpan<byte> request, in DatagramSource from, Span<byte> response) =>
        {
            if (request[0] == 0)
            {
                waiting.Add(from.ToSocketAddress());
                return 0;
            }

            request.CopyTo(response);
            return request.Length;
        });
        using Socket client = Client(socket);
        for (int i = 1; i <= 3 * DatagramServer.BatchSize; i++)
        {
            client.Send([(byte)i, 7]);
        }

        client.Send(new byte[50]);
        client.Send([9, .. new byte[LongestRequest]]);
        Assert.Equal(Enumerable.Range(1, 3 * DatagramServer.BatchSize).Select(static i => $"{i} 7"), Answers(client, 3 * DatagramServer.BatchSize));
        Assert.Equal(LongestRequest, Answers(client, 1)[0].Split(' ').Length);
        socket.SendTo([5], SocketFlags.None, Assert.Single(waiting));
        Assert.Equal(["5"], Answers(client, 1));
    }

    [Fact]
    public void Who_floods_a_socket_keeps_the_others_waiting_for_a_batch_at_most()
    {
        CancellationToken over = TestContext.Current.CancellationToken;
        ConcurrentQueue<char> order = new();
        using ManualResetEventSlim busy = new(), go = new();
        Socket gate = Bound("127.0.0.1"), flooded = Bound("127.0.0.1"), other = Bound("127.0.0.1");
        flooded.ReceiveBufferSize = 1 << 20;
        Serve(gate, (ReadOnlySpan<byte> _, in DatagramSource _, Span<byte> _) =>
        {
            busy.Set();
            go.Wait(TimeSpan.FromSeconds(10), over);
            return 0;
        });
        Serve(flooded, (ReadOnlySpan<byte> _, in DatagramSource _, Span<byte> _) => Noted('f'));
        Serve(other, (ReadOnlySpan<byte> _, in DatagramSource _, Span<byte> _) => Noted('o'));
        using Socket opener = Client(gate), flooder = Client(flooded), client = Client(other);
        opener.Send([1]);
        Assert.True(busy.Wait(TimeSpan.FromSeconds(10), over));
        for (int i = 0; i < 10 * DatagramServer.BatchSize; i++)
        {
            flooder.Send([1]);
        }

        client.Send([1]);
        go.Set();
        Assert.True(SpinWait.SpinUntil(() => order.Count == (10 * DatagramServer.BatchSize) + 1, TimeSpan.FromSeconds(10)));
        Assert.InRange(order.ToList().IndexOf('o'), 0, DatagramServer.BatchSize);

        int Noted(char who)
        {
            order.Enqueue(who);
            return 0;
        }
    }

    [Fact]
    public void What_is_served_no_more_calls_nobody_and_the_rest_goes_on()
    {
        int calls = 0;
        Socket first = Bound("127.0.0.1"), second = Bound("127.0.0.1");
        IDisposable served = Serve(first, (ReadOnlySpan<byte> _, in DatagramSource _, Span<byte> _) =>
        {
            Interlocked.Increment(ref calls);
            return 0;
        });
        Serve(second, static (ReadOnlySpan<byte> _, in DatagramSource _, Span<byte> response) => One(response));
        using Socket client = Client(first), other = Client(second);
        client.Send([1]);
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref calls) == 1, TimeSpan.FromSeconds(10)));
        served.Dispose();
        served.Dispose();
        client.Send([1]);
        other.Send([1]);
        Assert.Equal(["1"], Answers(other, 1));
        Assert.Equal(1, calls);
        first.Dispose();
        other.Send([1]);
        Assert.Equal(["1"], Answers(other, 1));
    }

    [Fact]
    public void An_answer_that_the_kernel_refuses_is_told_and_the_next_goes_out()
    {
        ConcurrentQueue<SocketError> errors = new();
        Socket socket = Bound("127.0.0.1");
        Serve(
            socket, static (ReadOnlySpan<byte> request, in DatagramSource _, Span<byte> response) => request[0] == 0 ? LongestResponse : One(response),
            errors.Enqueue);
        using Socket client = Client(socket);
        client.Send([0]);
        client.Send([1]);
        Assert.Equal(["1"], Answers(client, 1));
        Assert.Equal([SocketError.MessageSize], errors);
    }

    [Fact]
    public void A_socket_that_fails_rests_and_is_served_again()
    {
        ConcurrentQueue<SocketError> errors = new();
        Socket socket = Bound("127.0.0.1");
        using Socket client = Bound("127.0.0.1");
        IPEndPoint place = (IPEndPoint)client.LocalEndPoint!;
        client.Dispose();
        socket.Connect(place);
        // Nobody is there, and the kernel tells with the next call.
        socket.Send([1]);
        Serve(socket, static (ReadOnlySpan<byte> _, in DatagramSource _, Span<byte> response) => One(response), errors.Enqueue);
        Assert.True(SpinWait.SpinUntil(() => !errors.IsEmpty, TimeSpan.FromSeconds(10)));
        Assert.Equal([SocketError.ConnectionRefused], errors);
        using Socket again = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        again.Bind(place);
        again.Connect(socket.LocalEndPoint!);
        again.Send([1]);
        Assert.Equal(["1"], Answers(again, 1));
    }

    [Fact]
    public void A_question_and_its_answer_allocate_nothing()
    {
        ConcurrentQueue<long> allocated = new();
        Socket socket = Bound("127.0.0.1");
        Serve(socket, (ReadOnlySpan<byte> _, in DatagramSource _, Span<byte> response) =>
        {
            allocated.Enqueue(GC.GetAllocatedBytesForCurrentThread());
            return One(response);
        });
        using Socket client = Client(socket);
        for (int i = 0; i < 400; i++)
        {
            client.Send([1]);
            Answers(client, 1);
        }

        // The queue itself makes a segment now and then; between most questions it does not.
        long[] seen = [.. allocated];
        Assert.True(seen.Zip(seen.Skip(1), static (a, b) => b - a).Count(static bytes => bytes == 0) > 350);
    }

    private static int One(Span<byte> response)
    {
        response[0] = 1;
        return 1;
    }

    private static List<string> Answers(Socket client, int count)
    {
        byte[] buffer = new byte[1000];
        return [.. Enumerable.Range(0, count).Select(_ => string.Join(' ', buffer[..client.Receive(buffer)]))];
    }

    private static Socket Client(Socket server)
    {
        Socket client = new(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 10_000 };
        client.Connect(server.LocalEndPoint!);
        return client;
    }

    private Socket Bound(string address)
    {
        IPEndPoint place = new(IPAddress.Parse(address), 0);
        Socket socket = new(place.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(place);
        made.Add(socket);
        return socket;
    }

    private IDisposable Serve(Socket socket, Answerer answer, Action<SocketError>? failed = null)
    {
        IDisposable served = server.Serve(socket, new Service(answer, failed ?? (static error => Assert.Fail(error.ToString()))));
        made.Insert(0, served);
        return served;
    }

    private delegate int Answerer(ReadOnlySpan<byte> request, in DatagramSource from, Span<byte> response);

    private sealed class Service(Answerer answer, Action<SocketError> failed) : IDatagramService
    {
        public int Respond(ReadOnlySpan<byte> request, in DatagramSource from, Span<byte> response) => answer(request, in from, response);

        public void Failed(SocketError error) => failed(error);
    }
}
