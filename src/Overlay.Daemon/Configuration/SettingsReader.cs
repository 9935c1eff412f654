using System.Net;

namespace Overlay.Daemon.Configuration;

/// <summary>
/// Puts the settings of <c>overlayd run</c> together: flag over environment over file over default. Every value that
/// was given is checked, even one that a stronger origin overrides, and all problems are reported together.
/// </summary>
internal sealed class SettingsReader(Func<string, string?> environment, Func<string, byte[]?> readFile, string hostName)
{
    private readonly List<SettingProblem> problems = [];
    private readonly SortedDictionary<string, object> values = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, SettingValue> shown = new(StringComparer.Ordinal);

    /// <summary>A reader of this process's environment and files.</summary>
    public static SettingsReader OfProcess(Func<string, string?> environment) =>
        new(environment, ReadBounded, Environment.MachineName);

    /// <summary>
    /// Reads everything once.
    /// </summary>
    /// <param name="flags">What the command line gave.</param>
    /// <param name="found">The problems, in the order of the catalog within each origin; empty on success.</param>
    /// <returns>The settings, or null if there are problems.</returns>
    public AgentSettings? Read(SettingTexts flags, out IReadOnlyList<SettingProblem> found)
    {
        SettingTexts variables = SettingTexts.FromEnvironment(environment);
        foreach (Setting setting in SettingCatalog.All)
        {
            Take(setting, new SettingTexts(SettingOrigin.Default, Defaults(setting)), "the default");
        }

        SettingTexts file = ReadFile(flags, variables, out string path);
        foreach (Setting setting in SettingCatalog.All)
        {
            Take(setting, file, $"{setting.Name} in {path}");
            Take(setting, variables, setting.EnvironmentName);
            Take(setting, flags, setting.Flag);
        }

        DeriveDefaults();
        CheckTogether();
        found = problems;
        return problems.Count == 0 ? Build() : null;
    }

    private static SortedDictionary<string, IReadOnlyList<string>> Defaults(Setting setting) =>
        new(StringComparer.Ordinal) { [setting.Name] = setting.DefaultTexts };

    private static byte[]? ReadBounded(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        byte[] buffer = new byte[ConfigurationFile.MaximumBytes + 1];
        int read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        return buffer[..read];
    }

    private SettingTexts ReadFile(SettingTexts flags, SettingTexts variables, out string path)
    {
        string name = SettingCatalog.ConfigurationFile.Name;
        bool named = flags.ByName.TryGetValue(name, out IReadOnlyList<string>? given)
            || variables.ByName.TryGetValue(name, out given);
        path = given is [var text] ? text : SettingCatalog.DefaultConfigurationFile;
        if (!path.StartsWith('/'))
        {
            return SettingTexts.None(SettingOrigin.File);
        }

        try
        {
            byte[]? bytes = readFile(path);
            if (bytes is { Length: <= ConfigurationFile.MaximumBytes })
            {
                return ConfigurationFile.Parse(path, bytes, problems);
            }

            if (bytes is not null)
            {
                problems.Add(new(path, $"is larger than {ConfigurationFile.MaximumBytes} bytes"));
            }
            else if (named)
            {
                problems.Add(new(path, "does not exist"));
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            problems.Add(new(path, $"cannot be read: {error.Message.TrimEnd('.')}"));
        }

        return SettingTexts.None(SettingOrigin.File);
    }

    private void Take(Setting setting, SettingTexts origin, string place)
    {
        if (!origin.ByName.TryGetValue(setting.Name, out IReadOnlyList<string>? texts)
            || (origin.Origin == SettingOrigin.Default && texts.Count == 0 && !setting.IsList))
        {
            return;
        }

        if (setting.TryRead(texts, out object value, out string why))
        {
            values[setting.Name] = value;
            shown[setting.Name] = new(setting.Name, string.Join(",", texts), origin.Origin);
        }
        else
        {
            problems.Add(new(place, why));
        }
    }

    private void DeriveDefaults()
    {
        string socket = Path.Join((string)values[SettingCatalog.RuntimeFolder.Name], "overlayd.sock");
        Derive(SettingCatalog.Socket, socket);
        Derive(SettingCatalog.HostName, hostName);
        Overlay.Gossip.SwimOptions profile = GossipConstants.OptionsOf(Get(GossipConstants.Profile));
        foreach (GossipConstant constant in GossipConstants.All)
        {
            string name = constant.Setting.Name;
            shown.TryAdd(name, new(name, constant.TextIn(profile), SettingOrigin.Profile));
        }
    }

    /// <summary>The profile, with the constants that have values of their own.</summary>
    private Overlay.Gossip.SwimOptions Gossip() => GossipConstants.All
        .Where(constant => values.ContainsKey(constant.Setting.Name))
        .Aggregate(
            GossipConstants.OptionsOf(Get(GossipConstants.Profile)) with { AgentDownHold = Get(SettingCatalog.AgentDownHold) },
            (options, constant) => constant.Apply(options, values[constant.Setting.Name]));

    private void Derive(Setting<string> setting, string value)
    {
        if (values.TryAdd(setting.Name, value))
        {
            shown[setting.Name] = new(setting.Name, value, SettingOrigin.Default);
        }
    }

    private void CheckTogether()
    {
        int gossip = Get(SettingCatalog.GossipPort);
        IPEndPoint? metrics = Get(SettingCatalog.MetricsAddress).EndPoint;
        CheckDiffers(
            SettingCatalog.ManagerPort, Get(SettingCatalog.ManagerPort), SettingCatalog.GossipPort, gossip, "TCP");
        CheckDiffers(SettingCatalog.VxlanPort, Get(SettingCatalog.VxlanPort), SettingCatalog.GossipPort, gossip, "UDP");
        if (metrics is not null)
        {
            CheckDiffers(SettingCatalog.MetricsAddress, metrics.Port, SettingCatalog.GossipPort, gossip, "TCP");
            CheckDiffers(
                SettingCatalog.MetricsAddress, metrics.Port, SettingCatalog.ManagerPort,
                    Get(SettingCatalog.ManagerPort), "TCP");
        }

        string state = Get(SettingCatalog.StateFolder);
        if (state == Get(SettingCatalog.RuntimeFolder))
        {
            problems.Add(
                new(Place(SettingCatalog.StateFolder), $"is {state}, and so is runtime-dir: use two directories"));
        }

        // sockaddr_un of linux/un.h holds 108 bytes with the terminating zero.
        string socket = Get(SettingCatalog.Socket);
        if (System.Text.Encoding.UTF8.GetByteCount(socket) > 107)
        {
            problems.Add(
                new(Place(SettingCatalog.Socket), "is longer than the 107 bytes that the kernel allows for a socket"));
        }

        CheckGossip();
        if (GetAll(SettingCatalog.GatewayPools).Count == 0)
        {
            problems.Add(new(Place(SettingCatalog.GatewayPools), "is empty: name at least one prefix"));
        }
    }

    private void CheckGossip()
    {
        Overlay.Gossip.SwimOptions options = Gossip();
        if (options.ProbeTimeout >= options.ProbeInterval)
        {
            problems.Add(new(
                Place(GossipConstants.ProbeTimeout.Setting),
                $"is {DurationText.Format(options.ProbeTimeout)}, not below "
                + $"{GossipConstants.ProbeInterval.Setting.Name}, {DurationText.Format(options.ProbeInterval)}: use less"));
        }

        CheckOrder(GossipConstants.CutWindow, options.CutWindow, GossipConstants.MaxCutWindow, options.MaxCutWindow);
        CheckOrder(GossipConstants.FlapQuiet, options.FlapQuiet, GossipConstants.MaxFlapQuiet, options.MaxFlapQuiet);
        CheckOrder(GossipConstants.MinProbeTimeout, options.MinProbeTimeout, GossipConstants.ProbeTimeout, options.ProbeTimeout);
        CheckOrder(GossipConstants.HostCheckTimeout, options.HostCheckTimeout, GossipConstants.HostCheckLead, options.HostCheckLead);
        // A ping that was lost must be repeated before its silence counts.
        CheckOrder(GossipConstants.SessionPingRetry, options.SessionPingRetry, GossipConstants.SessionGrace, options.SessionGrace);
    }

    private void CheckOrder(GossipConstant least, TimeSpan leastValue, GossipConstant most, TimeSpan mostValue)
    {
        if (mostValue < leastValue)
        {
            problems.Add(new(
                Place(most.Setting),
                $"is {DurationText.Format(mostValue)}, below {least.Setting.Name}, {DurationText.Format(leastValue)}: use as much at least"));
        }
    }

    private void CheckDiffers(Setting left, int leftPort, Setting right, int rightPort, string protocol)
    {
        if (leftPort == rightPort)
        {
            problems.Add(new(Place(left), $"uses {protocol} port {leftPort}, and so does {right.Name}: use two ports"));
        }
    }

    private string Place(Setting setting) => shown[setting.Name].Origin switch
    {
        SettingOrigin.Flag => setting.Flag,
        SettingOrigin.Environment => setting.EnvironmentName,
        _ => setting.Name,
    };

    private T Get<T>(Setting<T> setting)
        where T : notnull => (T)values[setting.Name];

    private List<T> GetAll<T>(ListSetting<T> setting)
        where T : notnull => (List<T>)values[setting.Name];

    private AgentSettings Build() => new()
    {
        ConfigurationFile = Get(SettingCatalog.ConfigurationFile),
        StateFolder = Get(SettingCatalog.StateFolder),
        RuntimeFolder = Get(SettingCatalog.RuntimeFolder),
        SocketPath = Get(SettingCatalog.Socket),
        SocketGroup = Get(SettingCatalog.SocketGroup),
        HostName = Get(SettingCatalog.HostName),
        AdvertiseAddress = Get(SettingCatalog.AdvertiseAddress),
        ListenAddress = Get(SettingCatalog.ListenAddress),
        DataPathAddress = Get(SettingCatalog.DataPathAddress),
        GossipPort = Get(SettingCatalog.GossipPort),
        ManagerPort = Get(SettingCatalog.ManagerPort),
        VxlanPort = Get(SettingCatalog.VxlanPort),
        MetricsAddress = Get(SettingCatalog.MetricsAddress).EndPoint,
        GatewayPools = GetAll(SettingCatalog.GatewayPools),
        DnsServers = GetAll(SettingCatalog.DnsServers),
        DnsTtl = Get(SettingCatalog.DnsTtl),
        DnsNegativeTtl = Get(SettingCatalog.DnsNegativeTtl),
        LoadBalancer = Get(SettingCatalog.LoadBalancer),
        ReconcileInterval = Get(SettingCatalog.ReconcileInterval),
        AgentDownHold = Get(SettingCatalog.AgentDownHold),
        GossipKeyRotation = Get(SettingCatalog.GossipKeyRotation),
        Gossip = Gossip(),
        LogLevel = Get(SettingCatalog.LogLevel),
        LogFormat = Get(SettingCatalog.LogFormat),
        Values = [.. SettingCatalog.All.Select(setting => shown[setting.Name])],
    };
}
