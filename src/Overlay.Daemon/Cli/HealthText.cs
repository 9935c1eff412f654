using System.Globalization;
using Overlay.Cluster.Intents;
using Overlay.V1;

namespace Overlay.Daemon.Cli;

/// <summary>"tcp:8080" or "http:8080/healthz": what a service's backends are asked.</summary>
internal static class HealthText
{
    private const string Tcp = "tcp:";
    private const string Http = "http:";

    public static bool TryParse(string text, out HealthCheck check)
    {
        check = new() { Kind = text.StartsWith(Tcp, StringComparison.Ordinal) ? HealthKind.Tcp : HealthKind.Http };
        string prefix = check.Kind == HealthKind.Tcp ? Tcp : Http;
        if (!text.StartsWith(prefix, StringComparison.Ordinal))
        {
            return false;
        }

        string target = text[prefix.Length..];
        int slash = target.IndexOf('/', StringComparison.Ordinal);
        string port = slash < 0 ? target : target[..slash];
        check.Path = slash < 0 ? "" : target[slash..];
        if (!ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) || number == 0)
        {
            return false;
        }

        check.Port = number;
        return check.Kind == HealthKind.Tcp ? slash < 0 : HealthRules.IsPath(check.Path);
    }
}
