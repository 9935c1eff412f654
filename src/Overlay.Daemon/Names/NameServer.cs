using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Telemetry;
using Overlay.Dataplane;
using Overlay.Dns;
using Overlay.Linux;
using Overlay.Linux.Sockets;

namespace Overlay.Daemon.Names;

/// <summary>What `status` shows of one sandbox's names.</summary>
/// <param name="Problem">Null while the resolver serves, else one sentence.</param>
internal sealed record SandboxNames(
    NamespaceName Sandbox, string? Problem, long Answered, long Forwarded, long Dropped);

/// <summary>
/// Names in every attached sandbox: keeps one <see cref="SandboxResolver"/> per sandbox that is published. Publishing
/// replaces an immutable snapshot; the resolvers read it without locks. A sandbox in which the sockets can not be made
/// is a problem to show and is tried again; one whose namespace was made anew gets new sockets.
/// </summary>
internal sealed partial class NameServer : BackgroundService
{
    /// <summary>More would only take turns with each other.</summary>
    private const int MostServers = 4;

    private readonly ISandboxSocketFactory factory;
    private readonly DatagramServer[] servers;
    private readonly NameServerContext context;
    private readonly ILogger<NameServer> logger;
    private readonly SortedDictionary<NamespaceName, SandboxResolver> resolvers = [];
    private readonly SortedDictionary<NamespaceName, string> problems = [];
    private readonly Channel<bool> wakeUps = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    private readonly Lock gate = new();
    private readonly List<(long Version, TaskCompletionSource Done)> waiters = [];
    private Dictionary<Zone, ZoneIndex> indexes = new(ReferenceEqualityComparer.Instance);
    private Wanted wanted = new(0, ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>>.Empty);
    private ImmutableArray<(SandboxResolver? Resolver, NamespaceName Name, string? Problem)> shown = [];
    private long settled = -1;
    private int lastClient;
    private bool hasEnded;

    public NameServer(
        ISandboxSocketFactory factory,
        Forwarder forwarder,
        NameServerOptions options,
        Instruments instruments,
        TimeProvider time,
        ILogger<NameServer> logger)
    {
        this.factory = factory;
        this.logger = logger;
        context = new(options, new(options.Answers), forwarder, instruments, time, logger);
        servers =
        [
            .. Enumerable.Range(0, Math.Clamp(Environment.ProcessorCount / 2, 1, MostServers)).Select(_ =>
                new DatagramServer("overlayd-dns", options.MaxQuery, options.Answers.MaxUdpPayload)),
        ];
        instruments.Observe(Telemetry.Gauge.DnsSandboxes, ObserveSandboxes);
        instruments.Observe(Telemetry.Gauge.DnsPending, () => forwarder.Pending);
        instruments.Observe(Telemetry.Gauge.DnsKept, () => forwarder.Kept);
    }

    /// <summary>The published sandboxes, in order, with their counters and problems. Safe from any thread.</summary>
    public ImmutableArray<SandboxNames> Sandboxes
    {
        get
        {
            lock (gate)
            {
                return [.. shown.Select(static s => new SandboxNames(
                    s.Name,
                    s.Problem,
                    s.Resolver?.Counters.Answered ?? 0,
                    s.Resolver?.Counters.Forwarded ?? 0,
                    s.Resolver?.Counters.Dropped ?? 0))];
            }
        }
    }

    /// <summary>
    /// Says what is to be known where: adds and removes sandboxes and replaces their zones. Zones of known sandboxes
    /// are in force when this returns; sockets of new ones follow.
    /// </summary>
    /// <param name="zones">The networks of each sandbox in the order of attachment.</param>
    public void Publish(ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>> zones)
    {
        lock (gate)
        {
            wanted = new(wanted.Version + 1, zones);
            foreach ((SandboxResolver? resolver, NamespaceName name, _) in shown)
            {
                if (resolver is not null && zones.TryGetValue(name, out ImmutableArray<Zone> own))
                {
                    resolver.Zones = IndexNeedsLock(own);
                }
            }
        }

        wakeUps.Writer.TryWrite(true);
    }

    /// <summary>Waits until what is published now is in force or has become a problem.</summary>
    /// <exception cref="NameServerException">The name server has stopped meanwhile.</exception>
    public Task WhenSettledAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (settled >= wanted.Version)
            {
                return Task.CompletedTask;
            }

            if (hasEnded)
            {
                return Task.FromException(new NameServerException("the name server has stopped"));
            }

            TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
            waiters.Add((wanted.Version, done));
            return done.Task.WaitAsync(cancellationToken);
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        foreach (DatagramServer server in servers)
        {
            server.Dispose();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        TimeSpan interval = context.Options.CheckInterval;
        await using ITimer timer = context.Time.CreateTimer(
            _ => wakeUps.Writer.TryWrite(true), null, interval, interval);
        try
        {
            do
            {
                while (wakeUps.Reader.TryRead(out _))
                {
                }

                await ReconcileAsync();
            }
            while (await wakeUps.Reader.WaitToReadAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The agent stops.
        }
        finally
        {
            ReleaseWaiters();
            foreach (SandboxResolver resolver in resolvers.Values)
            {
                await resolver.DisposeAsync();
            }
        }
    }

    private async Task ReconcileAsync()
    {
        Wanted target;
        lock (gate)
        {
            target = wanted;
        }

        foreach (SandboxResolver resolver in resolvers.Values.ToArray())
        {
            bool isWanted = target.Zones.ContainsKey(resolver.Name);
            if (!isWanted || factory.IdentityOf(resolver.Name) != resolver.Identity)
            {
                resolvers.Remove(resolver.Name);
                await resolver.DisposeAsync();
                LogStopped(resolver.Name, isWanted ? "its namespace was replaced" : "it is detached");
            }
        }

        foreach (NamespaceName name in problems.Keys.Where(name => !target.Zones.ContainsKey(name)).ToArray())
        {
            problems.Remove(name);
        }

        foreach (NamespaceName name in target.Zones.Keys.Where(name => !resolvers.ContainsKey(name)))
        {
            Open(name, target.Zones[name]);
        }

        Show(target);
    }

    private void Open(NamespaceName name, ImmutableArray<Zone> zones)
    {
        try
        {
            ImmutableArray<ZoneIndex> own;
            lock (gate)
            {
                own = IndexNeedsLock(zones);
            }

            resolvers.Add(name, Resolver(name, own));
            problems.Remove(name);
            LogServing(name);
        }
        catch (NameServerException e)
        {
            if (problems.GetValueOrDefault(name) != e.Message)
            {
                problems[name] = e.Message;
                LogProblem(e.Message);
            }
        }
    }

    private SandboxResolver Resolver(NamespaceName name, ImmutableArray<ZoneIndex> zones)
    {
        SandboxSockets sockets = factory.Open(name);
        try
        {
            int client = ++lastClient;
            return new(name, client, sockets, zones, servers[client % servers.Length], context);
        }
        catch (KernelException e)
        {
            sockets.Dispose();
            throw new NameServerException($"no names in sandbox {name}: {e.Message}", e);
        }
    }

    private void Show(Wanted target)
    {
        List<TaskCompletionSource> done;
        lock (gate)
        {
            shown = [.. target.Zones.Keys.Select(name =>
                (resolvers.GetValueOrDefault(name), name, problems.GetValueOrDefault(name)))];

            // Zones published meanwhile belong to the resolvers that were just made, too.
            foreach (SandboxResolver resolver in resolvers.Values)
            {
                if (wanted.Zones.TryGetValue(resolver.Name, out ImmutableArray<Zone> zones))
                {
                    resolver.Zones = IndexNeedsLock(zones);
                }
            }

            ForgetIndexesNeedsLock();
            settled = target.Version;
            done = [.. waiters.Where(w => w.Version <= settled).Select(static w => w.Done)];
            waiters.RemoveAll(w => w.Version <= settled);
        }

        done.ForEach(static d => d.TrySetResult());
    }

    /// <summary>Whatever ended the loop: nobody waits for it any longer.</summary>
    private void ReleaseWaiters()
    {
        lock (gate)
        {
            hasEnded = true;
            waiters.ForEach(static w => w.Done.TrySetException(new NameServerException("the name server has stopped")));
            waiters.Clear();
        }
    }

    /// <summary>Sandboxes of one network share its index; a zone that stayed the same object keeps it.</summary>
    private ImmutableArray<ZoneIndex> IndexNeedsLock(ImmutableArray<Zone> zones)
    {
        foreach (Zone zone in zones)
        {
            if (!indexes.ContainsKey(zone))
            {
                indexes.Add(zone, new(zone));
            }
        }

        return [.. zones.Select(zone => indexes[zone])];
    }

    private void ForgetIndexesNeedsLock()
    {
        Dictionary<Zone, ZoneIndex> kept = new(ReferenceEqualityComparer.Instance);
        foreach (Zone zone in wanted.Zones.Values.SelectMany(static zones => zones))
        {
            if (indexes.TryGetValue(zone, out ZoneIndex? index))
            {
                kept[zone] = index;
            }
        }

        indexes = kept;
    }

    private IEnumerable<Measurement<double>> ObserveSandboxes()
    {
        ImmutableArray<SandboxNames> all = Sandboxes;
        int failed = all.Count(static s => s.Problem is not null);
        return
        [
            new(all.Length - failed, new KeyValuePair<string, object?>("state", "serving")),
            new(failed, new KeyValuePair<string, object?>("state", "failed")),
        ];
    }

    [LoggerMessage(EventId = 501, Level = LogLevel.Information, Message = "Names are served in sandbox {Sandbox}")]
    private partial void LogServing(NamespaceName sandbox);

    [LoggerMessage(EventId = 502, Level = LogLevel.Information, Message = "Names end in sandbox {Sandbox}: {Reason}")]
    private partial void LogStopped(NamespaceName sandbox, string reason);

    [LoggerMessage(EventId = 503, Level = LogLevel.Warning, Message = "{Problem}; trying again")]
    private partial void LogProblem(string problem);

    private sealed record Wanted(long Version, ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>> Zones);
}
