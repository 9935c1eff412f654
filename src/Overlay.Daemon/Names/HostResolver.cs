using System.Collections.Immutable;
using System.Net;
using Overlay.Dns;

namespace Overlay.Daemon.Names;

/// <summary>The host's own resolver configuration, read again when its file changes. Safe from any thread.</summary>
/// <param name="path">/etc/resolv.conf outside tests.</param>
/// <param name="maxAge">How long a reading is trusted.</param>
/// <param name="port">The servers' port.</param>
internal sealed class HostResolver(string path, TimeSpan maxAge, TimeProvider time, int port = 53)
{
    public const string DefaultPath = "/etc/resolv.conf";

    private Reading? last;

    public ResolverConfiguration Configuration => Read().Configuration;

    public ImmutableArray<IPEndPoint> Servers => Read().Servers;

    private Reading Read()
    {
        Reading? known = Volatile.Read(ref last);
        if (known is not null && time.GetElapsedTime(known.At) < maxAge)
        {
            return known;
        }

        long now = time.GetTimestamp();
        Reading fresh;
        try
        {
            DateTime changed = File.GetLastWriteTimeUtc(path);
            fresh = known?.Changed == changed ? known with { At = now } : Parse(changed, now);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is being replaced, or there is none: what was known stays in force.
            fresh = known is null ? new(now, default, ResolverConfiguration.Empty, []) : known with { At = now };
        }

        Volatile.Write(ref last, fresh);
        return fresh;
    }

    private Reading Parse(DateTime changed, long now)
    {
        using StreamReader reader = new(path);
        char[] text = new char[ResolverConfiguration.MaxText];
        ResolverConfiguration parsed = ResolverConfiguration.Parse(text.AsSpan(0, reader.ReadBlock(text)));
        return new(now, changed, parsed, [.. parsed.Servers.Select(server => new IPEndPoint(server, port))]);
    }

    private sealed record Reading(
        long At, DateTime Changed, ResolverConfiguration Configuration, ImmutableArray<IPEndPoint> Servers);
}
