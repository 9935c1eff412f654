using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging;

namespace Overlay.Daemon.Configuration;

/// <summary>
/// How the texts of settings are read. Each refusal is a clause that follows the name of the setting.
/// </summary>
internal static class SettingText
{
    private const int MaximumPathLength = 4096;

    public static bool Port(string text, out int port, out string why)
    {
        bool valid = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port)
            && port is >= 1 and <= 65535;
        why = valid ? "" : $"is '{text}', which is not a port: use a number from 1 to 65535";
        return valid;
    }

    public static bool AbsolutePath(string text, out string path, out string why)
    {
        path = text;
        why = "";
        if (!text.StartsWith('/') || text.Length > MaximumPathLength || text.Contains('\0', StringComparison.Ordinal))
        {
            why = $"is '{text}', which is not an absolute path: begin it with '/'";
            return false;
        }

        path = text.Length > 1 ? text.TrimEnd('/') : text;
        return true;
    }

    /// <summary>A period of <see cref="DurationText"/> between one second and one hour.</summary>
    public static bool Interval(string text, out TimeSpan interval, out string why)
    {
        if (!DurationText.TryParse(text, out interval))
        {
            why = $"is '{text}', which is not a duration: write it like 500ms, 30s, 5m or 1h30m";
            return false;
        }

        bool valid = interval >= TimeSpan.FromSeconds(1) && interval <= TimeSpan.FromHours(1);
        why = valid ? "" : $"is '{text}': use 1s to 1h";
        return valid;
    }

    /// <summary>A length of <see cref="DurationText"/> up to one day; zero is none at all.</summary>
    public static bool Hold(string text, out TimeSpan hold, out string why)
    {
        if (!DurationText.TryParse(text, out hold))
        {
            why = $"is '{text}', which is not a duration: write it like 500ms, 30s, 5m or 1h30m";
            return false;
        }

        bool valid = hold <= TimeSpan.FromDays(1);
        why = valid ? "" : $"is '{text}': use 0s to 24h";
        return valid;
    }

    /// <summary>Whole seconds up to one hour; zero is not to be kept at all (RFC 1035 §3.2.1).</summary>
    public static bool TimeToLive(string text, out TimeSpan ttl, out string why)
    {
        if (!DurationText.TryParse(text, out ttl))
        {
            why = $"is '{text}', which is not a duration: write it like 5s or 1m";
            return false;
        }

        bool valid = ttl <= TimeSpan.FromHours(1) && ttl.Ticks % TimeSpan.TicksPerSecond == 0;
        why = valid ? "" : $"is '{text}': use whole seconds, from 0s to 1h";
        return valid;
    }

    /// <summary>Ten seconds to a year; zero is no end.</summary>
    public static bool KeyLife(string text, out TimeSpan life, out string why)
    {
        if (!DurationText.TryParse(text, out life))
        {
            why = $"is '{text}', which is not a duration: write it like 12h, 7d or 1d12h";
            return false;
        }

        bool valid = life == TimeSpan.Zero || (life >= TimeSpan.FromSeconds(10) && life <= TimeSpan.FromDays(365));
        why = valid ? "" : $"is '{text}': use 10s to 365d, or 0s";
        return valid;
    }

    public static bool Level(string text, out LogLevel level, out string why)
    {
        LogLevel? known = text switch
        {
            "trace" => LogLevel.Trace,
            "debug" => LogLevel.Debug,
            "info" => LogLevel.Information,
            "warning" => LogLevel.Warning,
            "error" => LogLevel.Error,
            _ => null,
        };
        level = known ?? LogLevel.Information;
        why = known is null ? $"is '{text}': use trace, debug, info, warning or error" : "";
        return known is not null;
    }

    public static bool LoadBalancer(string text, out LoadBalancerChoice choice, out string why)
    {
        LoadBalancerChoice? known = text switch
        {
            "auto" => LoadBalancerChoice.Auto,
            "ipvs" => LoadBalancerChoice.Ipvs,
            "nftables" => LoadBalancerChoice.Nftables,
            _ => null,
        };
        choice = known ?? LoadBalancerChoice.Auto;
        why = known is null ? $"is '{text}': use auto, ipvs or nftables" : "";
        return known is not null;
    }

    public static bool Format(string text, out LogFormat format, out string why)
    {
        LogFormat? known = text switch
        {
            "auto" => LogFormat.Auto,
            "text" => LogFormat.Text,
            "json" => LogFormat.Json,
            "journald" => LogFormat.Journald,
            _ => null,
        };
        format = known ?? LogFormat.Auto;
        why = known is null ? $"is '{text}': use auto, text, json or journald" : "";
        return known is not null;
    }

    /// <summary>An address and port, or "none".</summary>
    public static bool ListenAddress(string text, out ListenAddress address, out string why)
    {
        address = new(null);
        why = "";
        if (text == "none")
        {
            return true;
        }

        if (!AddressText.TryParseWithPort(text, out IPEndPoint endpoint))
        {
            why = $"is '{text}', which is not an address and port: write it like 127.0.0.1:9650 or [::1]:9650, or none";
            return false;
        }

        address = new(endpoint);
        return true;
    }

    /// <summary>The address of a DNS server, with port 53 unless another is given.</summary>
    public static bool NameServer(string text, out IPEndPoint server, out string why)
    {
        why = "";
        if (AddressText.TryParseWithPort(text, out server))
        {
            return true;
        }

        if (AddressText.TryParse(text, out IPAddress address) && !AddressText.IsUnspecified(address))
        {
            server = new(address, 53);
            return true;
        }

        why = $"is '{text}', which is not the address of a DNS server: write it like 192.0.2.53 or 192.0.2.53:5353";
        return false;
    }

    /// <summary>An IPv4 prefix with room for a bridge and its endpoints: /8 to /24.</summary>
    public static bool Pool(string text, out IPNetwork pool, out string why)
    {
        if (!AddressText.TryParsePrefix(text, out pool))
        {
            why = $"is '{text}', which is not a prefix: write it like 172.26.0.0/16, with no bits set after the length";
            return false;
        }

        bool valid = pool.BaseAddress.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork
            && pool.PrefixLength is >= 8 and <= 24;
        why = valid ? "" : $"is '{text}': use an IPv4 prefix from /8 to /24";
        return valid;
    }

    /// <summary>An address or interface name, with or without a port; empty leaves the choice to the agent.</summary>
    public static bool Address(string text, out string address, out string why)
    {
        address = text;
        bool valid = text.Length == 0 || AddressRequest.TryParse(text, out _);
        why = valid ? "" : $"is '{text}', which is neither an address nor the name of an interface";
        return valid;
    }

    /// <summary>A host name of RFC 1123: labels of letters, digits and inner hyphens.</summary>
    public static bool HostName(string text, out string name, out string why)
    {
        name = text;
        bool valid = text.Length is >= 1 and <= 253 && text.Split('.').All(IsLabel);
        why = valid ? "" : $"is '{text}', which is not a host name: use letters, digits, '-' and '.'";
        return valid;
    }

    /// <summary>A group of /etc/group, or a number.</summary>
    public static bool Group(string text, out string group, out string why)
    {
        group = text;
        bool valid = text.Length is >= 1 and <= 32
            && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');
        why = valid ? "" : $"is '{text}', which is not the name of a group";
        return valid;
    }

    private static bool IsLabel(string label) =>
        label.Length is >= 1 and <= 63
        && label[0] != '-' && label[^1] != '-'
        && label.All(static c => char.IsAsciiLetterOrDigit(c) || c == '-');
}
