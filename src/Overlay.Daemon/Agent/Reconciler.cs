using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Telemetry;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Node;
using Overlay.Primitives;

namespace Overlay.Daemon.Agent;

/// <summary>
/// Makes the kernel hold what the node wants: observe, plan, execute, and again. One thread owns the kernel. It runs
/// when the wish changes, when the kernel says that something changed, and at the settings' interval over
/// everything. What is found to differ without a new wish is drift: repaired and counted.
/// </summary>
internal sealed partial class Reconciler : IDisposable
{
    private static readonly TimeSpan SettleTime = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan MinRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MaxRetry = TimeSpan.FromSeconds(10);

    /// <summary>How often a port that this host does not serve is asked for again.</summary>
    private static readonly TimeSpan PortRetry = TimeSpan.FromSeconds(5);

    private readonly KernelHost kernel;
    private readonly MonotonicClock clock;
    private readonly Instruments instruments;
    private readonly TimeSpan interval;
    private readonly ILogger logger;
    private readonly Lock gate = new();
    private readonly SemaphoreSlim signal = new(0);
    private readonly Thread thread;
    private readonly Queue<Action> errands = new();
    private readonly SortedSet<NamespaceName> touched = [];
    private (long Revision, DataplaneInputs Inputs)? wanted;
    private volatile bool stopping;
    private volatile ReconcilerStatus status = ReconcilerStatus.Initial;

    // Owned by the thread.
    private HostState observed = HostState.Empty;
    private HostState desired = HostState.Empty;
    private DataplaneInputs? inputs;
    private long revision;
    private long settledRevision = -1;
    private Instant nextFull;
    private Instant nextRetry = Instant.Never;
    private TimeSpan retry = MinRetry;
    private ImmutableArray<RefusedPort> refusedPorts = [];
    private bool mayForwardIpv6;

    /// <summary>There was a wish since; also where reading the kernel failed before it was heeded.</summary>
    private bool desiredIsOld;
    private Instant nextClaim = Instant.Never;

    /// <param name="kernel">Used by the reconciler's thread only.</param>
    /// <param name="interval">Between two rounds over everything.</param>
    public Reconciler(
        KernelHost kernel, TimeSpan interval, MonotonicClock clock, Instruments instruments, ILogger<Reconciler> logger)
    {
        this.instruments = instruments;
        this.interval = interval;
        this.kernel = kernel;
        this.clock = clock;
        this.logger = logger;
        thread = new(Run) { Name = "reconciler", IsBackground = true };
    }

    public ReconcilerStatus Status => status;

    /// <summary>Told the revision that the kernel now holds, and the endpoints it does not.</summary>
    public Action<long, IReadOnlyList<EndpointFailure>>? Programmed { get; set; }

    /// <summary>Told of every wish, on the thread of who wishes.</summary>
    public Action<long, DataplaneInputs>? Wanted { get; set; }

    /// <summary>Told the revision that the kernel now holds without any failure.</summary>
    public Action<long>? Settled { get; set; }

    /// <summary>Told which namespaces to listen to.</summary>
    public Action<ImmutableSortedSet<NamespaceName>>? Watch { get; set; }

    public void Start() => thread.Start();

    public void Want(long newRevision, DataplaneInputs newInputs)
    {
        Wanted?.Invoke(newRevision, newInputs);
        lock (gate)
        {
            wanted = (newRevision, newInputs);
        }

        signal.Release();
    }

    /// <summary>This host is in no cluster any more: everything of ours goes.</summary>
    public void WantNothing()
    {
        lock (gate)
        {
            if ((wanted?.Inputs ?? inputs) is { } last)
            {
                wanted = (0, last with
                {
                    Networks = [],
                    Endpoints = [],
                    Remotes = [],
                    Services = [],
                    Ports = [],
                    MeshPorts = [],
                    PortSandboxes = [],
                    HasIpv6Ports = false,
                    LeftSandboxes = [.. last.LeftSandboxes.Union(last.Endpoints.Select(static e => e.Sandbox))],
                });
            }
        }

        signal.Release();
    }

    /// <summary>The kernel says that something changed there.</summary>
    public void Touch(NamespaceName name)
    {
        lock (gate)
        {
            touched.Add(name);
        }

        signal.Release();
    }

    /// <summary>Runs a piece of kernel work between two rounds, on the thread that owns the kernel.</summary>
    public Task<T> RunAsync<T>(Func<KernelHost, T> errand, CancellationToken cancellationToken)
    {
        TaskCompletionSource<T> result = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            errands.Enqueue(() =>
            {
                try
                {
                    result.TrySetResult(errand(kernel));
                }
                catch (Exception e) when (e is not InvariantException)
                {
                    // It is the caller's: it turns it into an answer.
                    result.TrySetException(e);
                }
            });
        }

        signal.Release();
        return result.Task.WaitAsync(cancellationToken);
    }

    public void Dispose()
    {
        stopping = true;
        signal.Release();
        if (thread.IsAlive)
        {
            thread.Join();
        }

        signal.Dispose();
    }

    private void Run()
    {
        while (!stopping)
        {
            Instant next = Instant.Min(nextFull, Instant.Min(nextRetry, nextClaim));
            TimeSpan wait = next - clock.Now;
            if (wait > TimeSpan.Zero)
            {
                signal.Wait(wait);
            }

            while (signal.Wait(0))
            {
                // Several signals are one round.
            }

            DoErrands();
            (bool newWish, SortedSet<NamespaceName> dirty) = TakeWork();
            Instant now = clock.Now;
            bool full = now >= nextFull;
            if (inputs is null || (!newWish && dirty.Count == 0 && !full && now < nextRetry && now < nextClaim))
            {
                nextFull = inputs is null ? now + interval : nextFull;
                continue;
            }

            if (!newWish && dirty.Count > 0 && !full)
            {
                // One change is seldom alone: let a burst of foreign changes end before the dump.
                signal.Wait(SettleTime);
                // That signal may have been an errand's, which nothing would call for again.
                DoErrands();
                (newWish, SortedSet<NamespaceName> more) = TakeWork();
                dirty.UnionWith(more);
            }

            try
            {
                Round(newWish, full, dirty);
            }
            catch (KernelException e)
            {
                // What is ours could not be read; nothing is known of it, and the next round looks again.
                observed = HostState.Empty;
                nextRetry = clock.Now + retry;
                retry = retry * 2 < MaxRetry ? retry * 2 : MaxRetry;
                status = status with { Pending = Math.Max(1, status.Pending), Failures = status.Failures + 1, LastError = e.Message };
                LogUnreadable(e.Message);
            }
        }
    }

    private void DoErrands()
    {
        while (true)
        {
            Action? errand;
            lock (gate)
            {
                errands.TryDequeue(out errand);
            }

            if (errand is null)
            {
                return;
            }

            errand();
        }
    }

    private (bool NewWish, SortedSet<NamespaceName> Dirty) TakeWork()
    {
        lock (gate)
        {
            SortedSet<NamespaceName> dirty = [.. touched];
            touched.Clear();
            if (wanted is not { } wish)
            {
                return (false, dirty);
            }

            wanted = null;
            inputs = wish.Inputs;
            revision = wish.Revision;
            return (true, dirty);
        }
    }

    private void Round(bool newWish, bool full, SortedSet<NamespaceName> dirty)
    {
        long started = Stopwatch.GetTimestamp();
        desiredIsOld |= newWish;
        bool claimed = (desiredIsOld || clock.Now >= nextClaim || (full && !refusedPorts.IsEmpty)) && ClaimPorts();
        if (!desiredIsOld && !claimed && !full && dirty.Count == 0 && clock.Now < nextRetry)
        {
            return;
        }

        if (desiredIsOld || claimed)
        {
            desiredIsOld = false;
            desired = Desired.For(inputs! with
            {
                Ports = [.. inputs.Ports.Select(Served).Where(static p => p.Families != IpFamilies.None)],
                HasIpv6Ports = inputs.HasIpv6Ports && mayForwardIpv6,
            });
        }

        Observe(full, dirty);
        Plan plan = Planner.Plan(desired, observed);
        IReadOnlyList<OperationResult> results = kernel.Execute(plan.Operations);
        List<OperationResult> failed = [];
        foreach (OperationResult result in results)
        {
            if (result.Succeeded)
            {
                observed = observed.After(result.Operation);
            }
            else
            {
                failed.Add(result);
                LogFailed(result.Operation.ToString(), result.Error ?? "unknown error");
            }
        }

        bool drift = settledRevision == revision && !claimed && plan.Operations.Length > 0;
        if (failed.Count == 0)
        {
            settledRevision = revision;
            nextRetry = Instant.Never;
            retry = MinRetry;
        }
        else
        {
            foreach (OperationResult result in failed)
            {
                Forget(result.Operation);
            }

            nextRetry = clock.Now + retry;
            retry = retry * 2 < MaxRetry ? retry * 2 : MaxRetry;
        }

        if (full)
        {
            nextFull = clock.Now + interval;
        }

        Account(plan, failed, drift, Stopwatch.GetElapsedTime(started));
        if (failed.Count == 0)
        {
            Settled?.Invoke(revision);
        }

        Programmed?.Invoke(revision, Failures(plan, failed));
    }

    /// <summary>Takes the ports, as far as this host can serve them.</summary>
    /// <returns>Whether other ports than before are to be translated.</returns>
    private bool ClaimPorts()
    {
        ImmutableArray<RefusedPort> before = refusedPorts;
        bool couldForward = mayForwardIpv6;
        nextClaim = clock.Now + PortRetry;
        refusedPorts = [];
        if (inputs!.HasIpv6Ports)
        {
            HostIpv6 host = kernel.ReadIpv6();
            mayForwardIpv6 = host.MayForward;
            refusedPorts =
            [
                .. inputs.Ports.Where(p => !host.MayForward && p.Families.HasFlag(IpFamilies.Ipv6)).Select(p => RefusedPort.WithoutIpv6(p, host)),
            ];
        }

        (HostPort Port, PortClaim Claim)[] claims =
        [
            .. inputs.Ports.SelectMany(p => Served(p).Claims, static (p, c) => (p, c)),
        ];
        refusedPorts = refusedPorts.AddRange(kernel.Claim([.. claims.Select(static c => c.Claim)])
            .SelectMany(r => claims.Where(c => c.Claim == r.Claim).Select(c => RefusedPort.Taken(c.Port, r.Claim, r.Errno))));
        foreach (RefusedPort refused in refusedPorts.Where(r => r.IsFault && !before.Any(b => b.IsSameAs(r))))
        {
            LogPortTaken(refused.Text);
        }

        nextClaim = refusedPorts.Any(static r => r.IsFault) ? nextClaim : Instant.Never;
        return mayForwardIpv6 != couldForward || !refusedPorts.SequenceEqual(before);
    }

    /// <summary>Without the families that it is refused for.</summary>
    private HostPort Served(HostPort port)
    {
        IpFamilies refused = refusedPorts.Where(r => r.Port == port).Aggregate(IpFamilies.None, static (f, r) => f | r.Families);
        return refused == IpFamilies.None ? port : port with { Families = port.Families & ~refused };
    }

    private void Observe(bool full, SortedSet<NamespaceName> dirty)
    {
        ImmutableArray<NamespaceName> needed = Planner.NamespacesToObserve(desired, OverlayNamespaces());
        List<NamespaceName> stale = [];
        foreach (NamespaceName name in needed)
        {
            // A sandbox belongs to somebody else: what was true of it a moment ago may not be now.
            if (full || dirty.Contains(name) || !observed.Namespaces.ContainsKey(name) || (!name.IsHost && !name.IsOverlay))
            {
                stale.Add(name);
            }
        }

        if (stale.Count > 0)
        {
            long started = Stopwatch.GetTimestamp();
            HostState fresh = kernel.Observe(stale, desired.SysctlPaths());
            instruments.ObservationDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
            ImmutableSortedDictionary<NamespaceName, NamespaceState>.Builder merged = observed.Namespaces.ToBuilder();
            foreach (NamespaceName name in stale)
            {
                merged.Remove(name);
            }

            merged.AddRange(fresh.Namespaces);
            observed = new() { Namespaces = merged.ToImmutable() };
        }

        observed = new() { Namespaces = observed.Namespaces.RemoveRange(observed.Namespaces.Keys.Where(n => !needed.Contains(n))) };
        Watch?.Invoke([.. needed.Where(n => n.IsHost || n.IsOverlay || HasTraffic(n))]);
    }

    /// <summary>Connections of that sandbox depend on what we have there, beyond its interfaces.</summary>
    private bool HasTraffic(NamespaceName sandbox) =>
        observed.Namespaces.ContainsKey(sandbox) && desired.Namespaces.TryGetValue(sandbox, out NamespaceState? wish)
        && (wish.NftTable is not null || !wish.Rules.IsEmpty);

    private IEnumerable<NamespaceName> OverlayNamespaces() => kernel.Namespaces.List().Where(static n => n.IsOverlay);

    private void Forget(Operation operation)
    {
        ImmutableSortedDictionary<NamespaceName, NamespaceState> left = observed.Namespaces.Remove(operation.Namespace);
        if (operation is Operation.CreateLink { Link.Peer: { } peer })
        {
            left = left.Remove(peer.Namespace);
        }

        observed = new() { Namespaces = left };
    }

    private List<EndpointFailure> Failures(Plan plan, List<OperationResult> failed)
    {
        List<EndpointFailure> failures = [];
        foreach (LocalEndpoint endpoint in inputs!.Endpoints)
        {
            if (plan.Unreachable.Contains(endpoint.Sandbox))
            {
                failures.Add(new(endpoint.Id, $"the namespace {endpoint.Sandbox} does not exist", SandboxGone: true));
            }
            else if (failed.Find(f => Concerns(f.Operation, endpoint)) is { } failure)
            {
                failures.Add(new(endpoint.Id, $"{failure.Operation}: {failure.Error}", SandboxGone: false));
            }
        }

        return failures;
    }

    private static bool Concerns(Operation operation, LocalEndpoint endpoint) =>
        operation.Namespace == endpoint.Sandbox
        || (operation is Operation.CreateLink { Link.Peer: { } peer } && peer.Namespace == endpoint.Sandbox)
        || (operation.Namespace == Desired.NamespaceOf(endpoint.Network)
            && operation is Operation.CreateNamespace
                or Operation.CreateLink { Link.Kind: LinkKind.Bridge or LinkKind.Vxlan });

    private void Account(Plan plan, List<OperationResult> failed, bool drift, TimeSpan took)
    {
        ReconcilerStatus before = status;
        SortedDictionary<string, long> repairs = new(before.Repairs.ToDictionary(), StringComparer.Ordinal);
        if (drift)
        {
            foreach (Operation operation in plan.Operations)
            {
                string kind = operation.GetType().Name;
                repairs[kind] = repairs.GetValueOrDefault(kind) + 1;
                instruments.ReconcileRepairs.Add(1, new KeyValuePair<string, object?>("kind", kind));
                LogRepair(operation.ToString());
            }
        }

        status = new()
        {
            Repairs = repairs.ToImmutableSortedDictionary(StringComparer.Ordinal),
            Failures = before.Failures + failed.Count,
            Pending = failed.Count,
            LastError = failed.Count > 0 ? $"{failed[0].Operation}: {failed[0].Error}" : "",
            LastRoundUnixMs = clock.UnixMs,
            Rounds = before.Rounds + 1,
            Operations = before.Operations + plan.Operations.Length,
            RefusedPorts = [.. refusedPorts.Where(static r => r.IsFault)],
        };
        foreach (Operation operation in plan.Operations)
        {
            instruments.DataplaneOperations.Add(1, new KeyValuePair<string, object?>("op", operation.GetType().Name));
        }

        foreach (OperationResult failure in failed)
        {
            instruments.DataplaneErrors.Add(
                1, new("op", failure.Operation.GetType().Name), new("errno", failure.Errno));
        }

        if (plan.Operations.Length > 0)
        {
            instruments.ProgrammingDuration.Record(took.TotalSeconds);
            LogRound(plan.Operations.Length, failed.Count, took.TotalMilliseconds);
        }
    }

    [LoggerMessage(EventId = 405, Level = LogLevel.Warning, Message = "Not published here: {Refused}")]
    private partial void LogPortTaken(string refused);

    [LoggerMessage(EventId = 401, Level = LogLevel.Warning, Message = "Kernel refused: {Operation}: {Error}")]
    private partial void LogFailed(string operation, string error);

    [LoggerMessage(EventId = 404, Level = LogLevel.Error, Message = "The kernel cannot be read: {Reason}")]
    private partial void LogUnreadable(string reason);

    [LoggerMessage(EventId = 402, Level = LogLevel.Warning, Message = "Drift repaired: {Operation}")]
    private partial void LogRepair(string operation);

    [LoggerMessage(EventId = 403, Level = LogLevel.Debug, Message = "Applied {Count} operations, {Failed} failed, in {Milliseconds} ms")]
    private partial void LogRound(int count, int failed, double milliseconds);
}
