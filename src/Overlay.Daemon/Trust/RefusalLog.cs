using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Telemetry;

namespace Overlay.Daemon.Trust;

/// <summary>
/// Tells of every refused peer or call once, and counts all. What a peer sent, secrets above all, is not told.
/// <para>Strangers cannot flood the log: within a minute it tells of one source (an IPv4 address, an IPv6 /64) and
/// reason <see cref="MaxOfReason"/> times, of one source <see cref="MaxOfSource"/> times, and <see cref="MaxLines"/>
/// times in all; then one line says how many were left out. Memory is bounded by these numbers too.</para>
/// </summary>
internal sealed partial class RefusalLog(ILogger<RefusalLog> logger, TimeProvider time, Instruments instruments) : IDisposable
{
    public const int MaxOfReason = 5;
    public const int MaxOfSource = 20;
    public const int MaxLines = 200;
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private static readonly KeyValuePair<string, object?> Handshake = new("kind", "handshake");
    private static readonly KeyValuePair<string, object?> Call = new("kind", "call");

    private readonly Lock gate = new();
    private readonly Dictionary<(string Source, string Reason), int> told = [];
    private readonly Dictionary<string, (int Told, long LeftOut)> sources = new(StringComparer.Ordinal);
    private ITimer? ending;
    private int lines;
    private long leftOut;
    private long refused;

    public long Count => Interlocked.Read(ref refused);

    public void HandshakeRefused(EndPoint? peer, string reason)
    {
        Interlocked.Increment(ref refused);
        instruments.ManagerRefusals.Add(1, Handshake);
        if (MayTell(peer, reason))
        {
            LogHandshake(peer, reason);
        }
    }

    public void CallRefused(EndPoint? peer, string method, string reason)
    {
        Interlocked.Increment(ref refused);
        instruments.ManagerRefusals.Add(1, Call);
        if (MayTell(peer, reason))
        {
            LogCall(peer, method, reason);
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            ending?.Dispose();
        }

        EndWindow();
    }

    private bool MayTell(EndPoint? peer, string reason)
    {
        string source = SourceOf(peer);
        lock (gate)
        {
            ending ??= time.CreateTimer(_ => EndWindow(), null, Window, Timeout.InfiniteTimeSpan);
            int ofReason = told.GetValueOrDefault((source, reason));
            (int ofSource, long before) = sources.GetValueOrDefault(source);
            if (lines < MaxLines && ofSource < MaxOfSource && ofReason < MaxOfReason)
            {
                lines++;
                told[(source, reason)] = ofReason + 1;
                sources[source] = (ofSource + 1, before);
                return true;
            }

            leftOut++;
            if (ofSource > 0)
            {
                sources[source] = (ofSource, before + 1);
            }

            return false;
        }
    }

    private void EndWindow()
    {
        long count;
        string worst;
        lock (gate)
        {
            count = leftOut;
            worst = string.Join(", ", sources
                .Where(static s => s.Value.LeftOut > 0)
                .OrderByDescending(static s => s.Value.LeftOut).ThenBy(static s => s.Key, StringComparer.Ordinal)
                .Take(5)
                .Select(static s => string.Create(CultureInfo.InvariantCulture, $"{s.Value.LeftOut} of {s.Key}")));
            told.Clear();
            sources.Clear();
            lines = 0;
            leftOut = 0;
            ending?.Dispose();
            ending = null;
        }

        if (count > 0)
        {
            LogLeftOut(count, worst.Length > 0 ? worst : "each of another source");
        }
    }

    private static string SourceOf(EndPoint? peer)
    {
        if (peer is not IPEndPoint { Address: var address })
        {
            return "an unknown source";
        }

        address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return address.ToString();
        }

        // One machine has a whole /64 to call from.
        byte[] bytes = address.GetAddressBytes();
        Array.Clear(bytes, 8, 8);
        return $"{new IPAddress(bytes)}/64";
    }

    [LoggerMessage(EventId = 101, Level = LogLevel.Warning, Message = "Refused the certificate of {Peer}: {Reason}")]
    private partial void LogHandshake(EndPoint? peer, string reason);

    [LoggerMessage(EventId = 102, Level = LogLevel.Warning, Message = "Refused {Method} from {Peer}: {Reason}")]
    private partial void LogCall(EndPoint? peer, string method, string reason);

    [LoggerMessage(EventId = 103, Level = LogLevel.Warning, Message = "Refused {Count} more without a line for each: {Sources}")]
    private partial void LogLeftOut(long count, string sources);
}
