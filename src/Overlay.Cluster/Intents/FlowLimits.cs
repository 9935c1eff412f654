using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>How long nodes may be asked to remember a service's clients and flows. Kernels count whole seconds.</summary>
public static class FlowLimits
{
    public static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan LongestSticky = TimeSpan.FromHours(24);

    /// <summary>Above the five days that Linux keeps an idle connection, below what its clock of 32 bits can tell.</summary>
    public static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(10);

    /// <param name="milliseconds">0: no client is remembered.</param>
    internal static Refusal? StickyFault(long milliseconds, EndpointMode mode, string what) =>
        milliseconds == 0 ? null
        : mode == EndpointMode.Dnsrr
            ? new(
                RefusalKind.Invalid, what, "With --endpoint-mode dnsrr its clients choose among the backends, each time anew.",
                "Leave `--sticky` out, or use `--endpoint-mode vip`.")
        : IsWithin(milliseconds, LongestSticky) ? null
        : new(
            RefusalKind.Invalid, what, $"A client would get the same backend for {milliseconds} ms, and it may be 1 s to 24 h, in whole seconds.",
            "Give it as in `--sticky 10m`.");

    internal static Refusal? TimeoutFault(FlowTimeouts? timeouts, string what)
    {
        if (timeouts is null)
        {
            return null;
        }

        (string Name, long Milliseconds)[] all = [("tcp", timeouts.TcpMs), ("tcpfin", timeouts.TcpFinMs), ("udp", timeouts.UdpMs)];
        return all.Where(static t => t.Milliseconds != 0 && !IsWithin(t.Milliseconds, LongestTimeout))
            .Select(t => new Refusal(
                RefusalKind.Invalid, what, $"Its time-out of {t.Name} is {t.Milliseconds} ms, and may be 1 s to 10 d, in whole seconds.",
                $"Give it as in `--timeout {t.Name}=5m`.")).FirstOrDefault();
    }

    /// <summary>What is all left to kernels is stored as nothing.</summary>
    internal static FlowTimeouts? Stored(FlowTimeouts? timeouts) => timeouts is null || timeouts.Equals(new()) ? null : timeouts.Clone();

    private static bool IsWithin(long milliseconds, TimeSpan longest) =>
        milliseconds >= Shortest.TotalMilliseconds && milliseconds <= longest.TotalMilliseconds && milliseconds % 1000 == 0;
}
