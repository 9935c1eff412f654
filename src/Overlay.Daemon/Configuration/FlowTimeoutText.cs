using Overlay.V1;

namespace Overlay.Daemon.Configuration;

/// <summary>Time-outs of flows as a person writes them: <c>tcp=2h,tcpfin=2m,udp=5m</c>, each once, in any order.</summary>
internal static class FlowTimeoutText
{
    private const int MaximumLength = 128;

    public static bool TryParse(string text, out FlowTimeouts timeouts)
    {
        timeouts = new();
        if (text.Length is 0 or > MaximumLength)
        {
            return false;
        }

        foreach (string[] pair in text.Split(',').Select(static part => part.Split('=', 2)))
        {
            if (pair is not [var name, var value] || !DurationText.TryParse(value, out TimeSpan time) || time <= TimeSpan.Zero
                || !TrySet(timeouts, name, (long)time.TotalMilliseconds))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Fails where there is no such time-out, or where it is given already.</summary>
    private static bool TrySet(FlowTimeouts timeouts, string name, long milliseconds)
    {
        switch (name)
        {
            case "tcp" when timeouts.TcpMs == 0:
                timeouts.TcpMs = milliseconds;
                return true;
            case "tcpfin" when timeouts.TcpFinMs == 0:
                timeouts.TcpFinMs = milliseconds;
                return true;
            case "udp" when timeouts.UdpMs == 0:
                timeouts.UdpMs = milliseconds;
                return true;
            default:
                return false;
        }
    }
}
