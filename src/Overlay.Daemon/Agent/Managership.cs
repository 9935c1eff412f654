using System.Globalization;
using System.Net.Sockets;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Manager.Repair;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>
/// The manager on this node: it runs while the node's certificate says that the node is one. A node that becomes a manager
/// begins with an empty log, which the others fill; one that is none any more erases its own.
/// </summary>
/// <param name="peers">The managers that the agent knows of.</param>
/// <param name="begun">Called with a manager that has just begun; returns what it does while it leads.</param>
/// <param name="changed">Called when what this node says of itself is no longer so.</param>
internal sealed partial class Managership(
    MembershipRecord record, NodeIdentity identity, AgentHost host, Func<CancellationToken, Task<IReadOnlyList<PeerAddress>>> peers,
    Func<ManagerServer, Func<CancellationToken, Task>[]> begun, Action changed, ILogger<Managership> logger) : IAsyncDisposable
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    /// <summary>For one answer of the leader; another may lead then.</summary>
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(5);

    private readonly AgentServices services = host.Services;
    private MembershipRecord current = record;
    private volatile ManagerServer? server;
    private volatile string? problem;
    private volatile TaskCompletionSource look = NewSignal();
    private CancellationTokenSource? serving;
    private Task duties = Task.CompletedTask;
    private Task running = Task.CompletedTask;

    /// <summary>Of the cluster's life, as the agent knows it: a manager that is new has no log that tells.</summary>
    public Func<ulong> Epoch { get; init; } = static () => 0;

    /// <summary>Null: this node is a worker, or its manager has not begun yet.</summary>
    public ManagerServer? Server => server;

    /// <summary>Why the manager that should run does not, as a sentence; null: it does, or it should not.</summary>
    public string? Problem => problem;

    /// <summary>Nobody else decides, or is about to.</summary>
    public bool IsOnly => server is { Loop.Engine: var engine } && engine.Configuration.Members is [var only] && only == engine.Self.Member;

    /// <summary>The certificate, or what the agent knows of managers, has changed.</summary>
    public void Look() => look.TrySetResult();

    /// <summary>A manager that has a log goes on with it before anything else.</summary>
    public async Task ResumeAsync(CancellationToken cancellationToken)
    {
        if (identity.Role != NodeRole.Manager)
        {
            Retire();
        }
        else if (current.IsFounder || ManagerServer.HasLog(services.Settings.StateFolder))
        {
            IReadOnlyList<PeerAddress> known = await peers(cancellationToken);
            try
            {
                await BeginAsync(known, cancellationToken);
            }
            catch (StorageCorruptException) when (known.Count > 0)
            {
                // The agent goes on with the other managers, and asks them for what is damaged.
                problem = "The manager on this node cannot begin yet: its log is damaged, and the other managers are asked for what they have.";
            }
            catch (Exception e) when (known.Count > 0 && e is MemberLostException or StorageKeyException)
            {
                // The others go on, and the agent with them; the log can be begun anew from theirs.
                problem = $"The manager on this node cannot begin: {e.Message.TrimEnd('.')}; or give it a new log from the other managers: "
                    + "on one of them type `overlayd node demote` for this node, then `overlayd node promote`.";
                LogNotBegun(e.Message);
            }
        }
    }

    /// <summary>Until cancelled; fails when a manager that runs here cannot go on.</summary>
    public Task RunAsync(CancellationToken cancellationToken) => running = FollowAsync(cancellationToken);

    /// <summary>Waits until the manager here decides along.</summary>
    /// <returns>Null: it does.</returns>
    public async Task<Refusal?> JoinFaultAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        Instant until = services.Clock.Now + limit;
        while (server is not { } present || !present.IsVoter)
        {
            if (services.Clock.Now >= until)
            {
                return new(
                    RefusalKind.Unavailable, "This node joined, and is not among the managers yet.",
                    problem ?? "The other managers have not taken it in.", "It goes on trying; watch it with `overlayd status`.");
            }

            await Task.Delay(Pace, services.Clock.Time, cancellationToken);
        }

        return null;
    }

    /// <summary>Becomes a worker, as the others go on without this manager.</summary>
    /// <returns>Null: it is one.</returns>
    public async Task<Refusal?> ResignAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        Instant until = services.Clock.Now + limit;
        bool isDecided = false;
        string why = "The manager on this node is not running.";
        while (server is not null || identity.Role == NodeRole.Manager)
        {
            if (services.Clock.Now >= until)
            {
                return new(
                    RefusalKind.Unavailable, "This node is still a manager.",
                    string.Create(CultureInfo.InvariantCulture, $"After {limit.TotalSeconds:0} s: {why.TrimEnd('.')}."),
                    "See who is reachable with `overlayd node ls`, and type the command again.");
            }

            if (!isDecided && server is { } present)
            {
                TimeSpan patience = AnswerTime < until - services.Clock.Now ? AnswerTime : until - services.Clock.Now;
                switch (await SetRoleAsync(present, patience, cancellationToken))
                {
                    case null:
                        isDecided = true;
                        break;
                    case { Kind: RefusalKind.Unavailable } open:
                        why = open.Why;
                        break;
                    case { } refusal:
                        return refusal;
                }
            }

            why = isDecided ? StageOfResigning() : why;
            await Task.Delay(Pace, services.Clock.Time, cancellationToken);
        }

        return null;
    }

    /// <summary>After <see cref="RunAsync"/> was cancelled.</summary>
    public async ValueTask DisposeAsync()
    {
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await EndAsync();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            TaskCompletionSource signal = look;
            bool isManager = identity.Role == NodeRole.Manager;
            if (isManager && server is null)
            {
                await BeginUnlessDemotedAsync(cancellationToken);
            }
            else if (!isManager && (server is not null || ManagerServer.HasLog(services.Settings.StateFolder)))
            {
                await EndAsync();
                Retire();
                problem = null;
                LogEnded();
                changed();
            }

            Task retry = problem is null ? Task.Delay(Timeout.Infinite, cancellationToken) : Task.Delay(Retry, services.Clock.Time, cancellationToken);
            Task ended = server is { } present ? Task.WhenAny(present.Completion, duties) : Task.Delay(Timeout.Infinite, cancellationToken);
            Task first = await Task.WhenAny(signal.Task, retry, ended);
            cancellationToken.ThrowIfCancellationRequested();
            if (first == ended)
            {
                await await (Task<Task>)ended;
                throw new InvariantException("a manager's work ends only when it is told to");
            }

            if (first == signal.Task)
            {
                look = NewSignal();
            }
        }
    }

    /// <summary>What a demoted manager still waits for, as far as it can know: the others' log goes on without it.</summary>
    private string StageOfResigning() => server is not { } present
        ? "its certificate is a manager's still"
        : present.Loop.Leadership.View.IsLeader
            ? "it leads, and no other manager has taken that over"
            : "it was demoted, and has not heard that the others go on without it";

    private async Task<Refusal?> SetRoleAsync(ManagerServer present, TimeSpan limit, CancellationToken cancellationToken)
    {
        using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        enough.CancelAfter(limit);
        try
        {
            if (!present.Loop.Leadership.View.IsLeader)
            {
                SetNodeRoleResponse? set = await present.Proxy.CallAsync(
                    "/overlay.v1.Admin/SetNodeRole",
                    new SetNodeRoleRequest { Node = current.NodeId, Role = NodeRole.Worker, Detach = true },
                    SetNodeRoleResponse.Parser, enough.Token);
                if (set is not null)
                {
                    return null;
                }
            }

            return (await present.SetRoleAsync(current.NodeId, NodeRole.Worker, enough.Token)).Refusal;
        }
        catch (Exception e) when (e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled }
            && enough.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return NotDemoted("The leader of the managers did not answer.");
        }
        catch (RpcException e)
        {
            return RefusalStatus.FromException(e) ?? NotDemoted($"{e.Status.Detail.TrimEnd('.')}.");
        }
    }

    private static Refusal NotDemoted(string why) =>
        new(RefusalKind.Unavailable, "This node is still a manager.", why, "Type the command again.");

    /// <summary>A log that has to be mended may take as long as others need to come back; a worker needs none.</summary>
    private async Task BeginUnlessDemotedAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenSource demoted = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task begin = TryBeginAsync(demoted.Token);
        while (true)
        {
            TaskCompletionSource signal = look;
            if (await Task.WhenAny(begin, signal.Task) == begin)
            {
                break;
            }

            if (identity.Role != NodeRole.Manager)
            {
                await demoted.CancelAsync();
                break;
            }

            look = NewSignal();
        }

        await begin.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!demoted.IsCancellationRequested)
        {
            await begin;
        }
    }

    private async Task TryBeginAsync(CancellationToken cancellationToken)
    {
        try
        {
            IReadOnlyList<PeerAddress> known = await peers(cancellationToken);
            if (known.Count == 0 && !current.IsFounder)
            {
                // The first assignment names them.
                return;
            }

            await BeginAsync(
                known, cancellationToken,
                new(peers, why => problem = $"The manager on this node cannot begin yet: {why}."));
            LogBegun();
            changed();
        }
        catch (Exception e) when (e is IOException or SocketException or InvalidDataException)
        {
            if (problem != e.Message)
            {
                LogNotBegun(e.Message);
            }

            problem = $"The manager on this node cannot begin: {e.Message.TrimEnd('.')}.";
        }
    }

    private async Task BeginAsync(IReadOnlyList<PeerAddress> known, CancellationToken cancellationToken, LogMending? mending = null)
    {
        if (current.IsFounder && known.Count > 0 && !ManagerServer.HasLog(services.Settings.StateFolder))
        {
            // The founder comes back as one of many: with its new log alone it must never decide.
            current = current with { Managers = [.. known.Select(static peer => peer.Address)] };
            current.Save(services.Settings.StateFolder);
        }

        ManagerServer present = await ManagerServer.StartAsync(
            current with { Epoch = Math.Max(current.Epoch, Epoch()) }, identity, host, known, cancellationToken, mending);
        serving = new();
        duties = new LeaderDuties(present.Loop, services.Clock.Time, begun(present)).RunAsync(serving.Token);
        server = present;
        problem = null;
    }

    /// <summary>The node's key is in the clear before the data key that it may be encrypted with goes.</summary>
    private void Retire()
    {
        if (identity.Seal != 0)
        {
            identity.Protect(null);
        }

        ManagerServer.Erase(services.Settings.StateFolder);
        services.Lock.Key = [];
    }

    private async Task EndAsync()
    {
        if (server is not { } present)
        {
            return;
        }

        server = null;
        await serving!.CancelAsync();
        await present.DisposeAsync();
        await duties.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        serving.Dispose();
    }

    [LoggerMessage(EventId = 745, Level = LogLevel.Information, Message = "This node is a manager from now on")]
    private partial void LogBegun();

    [LoggerMessage(EventId = 746, Level = LogLevel.Information, Message = "This node is a manager no longer; its log is erased")]
    private partial void LogEnded();

    [LoggerMessage(EventId = 747, Level = LogLevel.Warning, Message = "This node is to be a manager and cannot begin: {Reason}")]
    private partial void LogNotBegun(string reason);
}
