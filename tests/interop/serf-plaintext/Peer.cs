using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Overlay.Gossip;
using Overlay.Gossip.Serf;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Interop.SerfPlaintext;

/// <summary>The gossip room on plain sockets: an agent never runs without a key, so only this speaks in the clear.</summary>
internal sealed class Peer : IDisposable
{
    private static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(20);
    private static readonly SortedDictionary<string, string> OwnTags = new(StringComparer.Ordinal)
    {
        ["kind"] = "plain",
        [Tags.BootKey] = "",
    };

    private readonly Socket udp = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly GossipEffects effects = new();
    private readonly Swim swim;
    private readonly byte[] buffer = new byte[65535];
    private bool left;

    public Peer(string name, IPEndPoint address)
    {
        udp.Bind(address);
        listener.Bind(address);
        listener.Listen();
        Prng prng = new((ulong)Environment.TickCount64);
        ulong boot = (ulong)DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        swim = new(name, address, Tags.Encode(OwnTags), boot, SwimOptions.Lan, Keyring.Plaintext, prng);
    }

    private static Instant Now => new((long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency)));

    public void Run(IPEndPoint[] seeds, TextReader input, TextWriter output)
    {
        ConcurrentQueue<string> commands = new();
        Thread reader = new(() =>
        {
            while (input.ReadLine() is { } line)
            {
                commands.Enqueue(line);
            }
        })
        {
            IsBackground = true,
        };
        reader.Start();
        swim.Start(Now, effects);
        swim.Join(seeds, Now, effects);
        while (!left)
        {
            Perform(output);
            Receive();
            while (commands.TryDequeue(out string? command))
            {
                Do(command.Split(' '));
            }

            if (swim.NextDeadline <= Now)
            {
                swim.Advance(Now, effects);
            }
        }
    }

    public void Dispose()
    {
        udp.Dispose();
        listener.Dispose();
    }

    private void Do(string[] words)
    {
        switch (words)
        {
            case ["event", var name, var payload]:
                swim.Tell(name, Encoding.UTF8.GetBytes(payload), Now, effects);
                break;
            case ["query", var name]:
                swim.Ask(name, default, [], TimeSpan.FromSeconds(3), Now, effects);
                break;
            case ["leave"]:
                swim.Leave(Now, effects);
                break;
        }
    }

    private void Receive()
    {
        while (udp.Poll(Turn, SelectMode.SelectRead))
        {
            EndPoint from = new IPEndPoint(IPAddress.Any, 0);
            int length = udp.ReceiveFrom(buffer, ref from);
            swim.Receive((IPEndPoint)from, buffer.AsSpan(0, length), Now, effects);
        }

        while (listener.Poll(0, SelectMode.SelectRead))
        {
            using Socket connection = listener.Accept();
            if (ReadUnit(connection) is { } unit)
            {
                swim.ReceiveStream(1, (IPEndPoint)connection.RemoteEndPoint!, unit, Now, effects);
                foreach (StreamReply reply in effects.Replies)
                {
                    connection.Send(reply.Response.Span);
                }

                effects.Replies.Clear();
            }
        }
    }

    private void Perform(TextWriter output)
    {
        StreamDial[] dials = [.. effects.Dials];
        foreach (Datagram datagram in effects.Datagrams)
        {
            udp.SendTo(datagram.Payload.Span, SocketFlags.None, datagram.To);
        }

        foreach (GossipEvent told in effects.Events)
        {
            Tell(told, output);
        }

        effects.Clear();
        foreach (StreamDial dial in dials)
        {
            Dial(dial);
        }
    }

    private void Dial(StreamDial dial)
    {
        using Socket connection = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            connection.Connect(dial.To);
            connection.Send(dial.Request.Span);
            swim.StreamCompleted(dial.ExchangeId, dial.ExpectsReply ? ReadUnit(connection) ?? [] : [], Now, effects);
        }
        catch (SocketException)
        {
            swim.StreamFailed(dial.ExchangeId, StreamFailure.Refused, Now, effects);
        }
    }

    private static byte[]? ReadUnit(Socket connection)
    {
        connection.ReceiveTimeout = 5000;
        List<byte> bytes = [];
        byte[] chunk = new byte[16384];
        while (true)
        {
            int read;
            try
            {
                read = connection.Receive(chunk);
            }
            catch (SocketException)
            {
                return null;
            }

            bytes.AddRange(chunk.AsSpan(0, read));
            byte[] sofar = [.. bytes];
            switch (StreamCodec.TryMeasure(sofar, Keyring.Plaintext, out int total))
            {
                case StreamMeasure.Complete:
                    return sofar[..total];
                case StreamMeasure.Invalid:
                    return null;
            }

            if (read == 0)
            {
                return null;
            }
        }
    }

    private void Tell(GossipEvent told, TextWriter output)
    {
        switch (told)
        {
            case GossipEvent.MemberChanged { Member: var member }:
                string tags = string.Join(',', Tags.Decode(member.Meta.Span).Select(t => $"{t.Key}={t.Value}"));
                output.WriteLine($"member {member.Name} {member.State} {tags}");
                break;
            case GossipEvent.UserEvent happened:
                output.WriteLine($"event {happened.Name} {Encoding.UTF8.GetString(happened.Payload.Span)}");
                break;
            case GossipEvent.QueryAnswered { Payload: null } answered:
                output.WriteLine($"ack {answered.From}");
                break;
            case GossipEvent.Left:
                output.WriteLine("left");
                left = true;
                break;
        }

        output.Flush();
    }
}
