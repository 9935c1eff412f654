using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Telemetry;
using Overlay.Daemon.Trust;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>
/// This agent's line to a manager: one session that brings assignments, and calls for leases and reservations on the
/// same connection. When it breaks another manager is tried, 100 ms to 2 s apart; the node goes on meanwhile.
/// </summary>
internal sealed partial class ManagerSession(
    NodeIdentity identity, Func<IReadOnlyList<string>> managers, Func<NodeDescription> describe,
    Func<Assignment, CancellationToken, ValueTask> assigned, Action<string?> inSession, Prng prng, TimeProvider time, Instruments instruments,
    ILogger<ManagerSession> logger)
{
    private static readonly TimeSpan MinBackoff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MaxBackoff = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);

    private volatile SessionState state = new(null, "", "the first session is not open yet");
    private volatile CancellationTokenSource? holding;
    private volatile bool reopening;
    private ulong applied;
    private ulong epoch;

    /// <param name="Client">Null: no session is open.</param>
    public sealed record SessionState(V1.Agent.AgentClient? Client, string Address, string LastError);

    public SessionState Current => state;

    public ulong AppliedVersion => Volatile.Read(ref applied);

    /// <summary>The newest of the cluster's life that this node knows; a manager of an earlier one is not listened to.</summary>
    public ulong Epoch
    {
        get => Volatile.Read(ref epoch);
        set => Volatile.Write(ref epoch, value);
    }

    /// <summary>Gives the open session up, as nobody is at its other end any more.</summary>
    public void Abandon()
    {
        try
        {
            holding?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself at this moment.
        }
    }

    /// <summary>Ends the session, if one is open, and begins another at once: the node shows a new certificate by that.</summary>
    public void Reopen()
    {
        reopening = holding is not null;
        Abandon();
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        TimeSpan backoff = MinBackoff;
        int turn = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            IReadOnlyList<string> addresses = managers();
            string address = addresses[turn++ % addresses.Count];
            try
            {
                await RenewIfExpiredAsync(address, cancellationToken);
                using GrpcChannel channel = ManagerEndpoint.Open(address, identity, time);
                await NotingRemovalAsync(HoldSessionAsync(channel, address, () => backoff = MinBackoff, cancellationToken));
            }
            catch (Exception e) when (e is RpcException or HttpRequestException or IOException or InvalidDataException)
            {
                if (cancellationToken.IsCancellationRequested)
                {
                    return;
                }

                if (reopening)
                {
                    reopening = false;
                    turn = 0;
                    state = new(null, address, "the session is being reopened");
                    continue;
                }

                // Once removed, whatever another manager says: one that was removed itself may not know.
                string reason = removal ?? (e is RpcException rpc ? rpc.Status.Detail : e.Message);
                if (state.LastError != reason)
                {
                    LogSessionLost(address, reason);
                }

                state = new(null, address, reason);
            }

            await Task.Delay(backoff * (0.5 + prng.NextDouble()), time, cancellationToken);
            backoff = backoff * 2 < MaxBackoff ? backoff * 2 : MaxBackoff;
        }
    }

    /// <summary>Asks a manager for what the node wants; always ends in an answer.</summary>
    public async Task<GrantInput> AskAsync(ManagerRequest request, CancellationToken cancellationToken)
    {
        if (state is not { Client: { } client } open)
        {
            return new(request.RequestId, null, null, Unreachable());
        }

        try
        {
            DateTime deadline = time.GetUtcNow().UtcDateTime + CallTimeout;
            switch (request)
            {
                case ManagerRequest.Lease lease:
                    LeaseBlockResponse leased = await client.LeaseBlockAsync(
                        new()
                        {
                            NetworkId = lease.Network.ToString(),
                            Segment = (uint)lease.Segment,
                            Ipv6 = lease.Ipv6,
                            RequestId = Guid.NewGuid().ToString("N"),
                        },
                        deadline: deadline, cancellationToken: cancellationToken);
                    return new(request.RequestId, leased.Lease, null, null);
                case ManagerRequest.Reserve reserve:
                    ReserveAddressResponse reserved = await client.ReserveAddressAsync(
                        new()
                        {
                            NetworkId = reserve.Network.ToString(),
                            Address = reserve.Address.ToString(),
                            EndpointId = reserve.Endpoint.ToString(),
                            RequestId = Guid.NewGuid().ToString("N"),
                        },
                        deadline: deadline, cancellationToken: cancellationToken);
                    return new(request.RequestId, null, reserved.Reservation, null);
                case ManagerRequest.Release release:
                    await client.ReleaseAddressAsync(
                        new()
                        {
                            NetworkId = release.Network.ToString(),
                            Address = release.Address.ToString(),
                            EndpointId = release.Endpoint.ToString(),
                        },
                        deadline: deadline, cancellationToken: cancellationToken);
                    return new(request.RequestId, null, null, null);
                default:
                    throw new System.Diagnostics.UnreachableException();
            }
        }
        catch (ObjectDisposedException)
        {
            // The session ended between the look at it and the call.
            return new(request.RequestId, null, null, Unreachable());
        }
        catch (RpcException e)
        {
            return new(request.RequestId, null, null, RefusalStatus.FromException(e) ?? new(
                RefusalKind.Unavailable, "The manager did not answer.", $"{open.Address}: {e.Status.Detail}.",
                "See whether a manager is reachable with `overlayd status`."));
        }
    }

    public Refusal Unreachable() => new(
        RefusalKind.Unavailable, "No manager can be asked.", $"{state.Address}: {state.LastError}.",
        "See whether a manager is reachable with `overlayd status`.");

    /// <summary>A new certificate for the same key; null: none can be had now.</summary>
    public async Task<NodeIdentity.Issued?> RenewAsync(byte[] certificateRequest, CancellationToken cancellationToken)
    {
        if (state.Client is not { } client)
        {
            return null;
        }

        try
        {
            return await RenewAsync(client, certificateRequest, cancellationToken);
        }
        catch (Exception e) when (e is RpcException or ObjectDisposedException)
        {
            // Told by the caller, which tries again.
            return null;
        }
    }

    /// <summary>Takes this node out of the cluster's intent.</summary>
    public async Task<Refusal?> LeaveAsync(CancellationToken cancellationToken)
    {
        if (state.Client is not { } client)
        {
            // Removed before this, or by a call before this whose answer was lost: it is what was asked for.
            return removal is null ? Unreachable() : null;
        }

        try
        {
            await client.LeaveClusterAsync(
                new(), deadline: time.GetUtcNow().UtcDateTime + CallTimeout, cancellationToken: cancellationToken);
            return null;
        }
        catch (Exception e) when (removal is not null && e is (RpcException or ObjectDisposedException))
        {
            // The session, and the connection with it, ended before the answer came, because the node is no member any more.
            return null;
        }
        catch (ObjectDisposedException)
        {
            // The session ended between the look at it and the call.
            return Unreachable();
        }
        catch (RpcException e)
        {
            return RefusalStatus.FromException(e) ?? Unreachable();
        }
    }

    /// <summary>No manager opens a session to a certificate that expired while this agent was off, but one renews it.</summary>
    private async Task RenewIfExpiredAsync(string address, CancellationToken cancellationToken)
    {
        if (identity.NotAfter > time.GetUtcNow())
        {
            return;
        }

        using GrpcChannel channel = ManagerEndpoint.Open(address, identity, time, expiredToo: true);
        identity.Renew(
            await RenewAsync(new(channel), identity.CreateRequest(), cancellationToken), time.GetUtcNow());
        LogRenewedLate(address);
    }

    private async Task<NodeIdentity.Issued> RenewAsync(
        V1.Agent.AgentClient client, byte[] certificateRequest, CancellationToken cancellationToken)
    {
        RenewCertificateResponse renewed = await client.RenewCertificateAsync(
            new() { CertificateRequest = Google.Protobuf.ByteString.CopyFrom(certificateRequest) },
            deadline: time.GetUtcNow().UtcDateTime + CallTimeout, cancellationToken: cancellationToken);
        return new(renewed.Certificate.ToByteArray(), [.. renewed.Intermediates.Select(static der => der.ToByteArray())]);
    }

    private async Task HoldSessionAsync(
        GrpcChannel channel, string address, Action opened, CancellationToken cancellationToken)
    {
        V1.Agent.AgentClient client = new(new MeasuredCalls(channel.CreateCallInvoker(), instruments));
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using AsyncDuplexStreamingCall<SessionRequest, Assignment> call = client.Session(cancellationToken: ended.Token);
        await call.RequestStream.WriteAsync(new() { Description = describe(), AppliedVersion = AppliedVersion, Epoch = Epoch }, ended.Token);
        holding = ended;
        bool isOpen = false;
        try
        {
            while (await call.ResponseStream.MoveNext(ended.Token))
            {
                Assignment assignment = call.ResponseStream.Current;
                Follow(assignment);
                if (!isOpen)
                {
                    // Already the first assignment may have the node ask for something: a certificate of another role or root.
                    state = new(client, address, "");
                    removal = null;
                }

                await assigned(assignment, ended.Token);
                Volatile.Write(ref applied, assignment.Version);
                if (!isOpen)
                {
                    isOpen = true;
                    opened();
                    // Who the manager at this address is, is known by the first assignment.
                    inSession(address);
                    LogSessionOpen(address);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or RpcException
            && ended.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new(StatusCode.Unavailable, "gossip found the manager dead"));
        }
        finally
        {
            if (state.Client is not null)
            {
                // Before the channel is gone: whoever asks from now on hears that there is no session.
                state = new(null, address, "the session ended");
            }

            holding = null;
            inSession(null);
        }

        throw new RpcException(new(StatusCode.Unavailable, "the manager closed the session"));
    }

    private void Follow(Assignment assignment)
    {
        if (assignment.Cluster is { Epoch: > 0 and var told })
        {
            Epoch = told >= Epoch ? told : throw new RpcException(new(
                StatusCode.FailedPrecondition, $"this manager is superseded: the cluster was begun anew (epoch {Epoch}, here {told})"));
        }
    }

    [LoggerMessage(EventId = 320, Level = LogLevel.Information, Message = "Session with manager {Address} is open")]
    private partial void LogSessionOpen(string address);

    [LoggerMessage(EventId = 322, Level = LogLevel.Warning, Message = "The certificate had expired; manager {Address} renewed it")]
    private partial void LogRenewedLate(string address);

    [LoggerMessage(EventId = 321, Level = LogLevel.Warning, Message = "No session with manager {Address}: {Reason}")]
    private partial void LogSessionLost(string address, string reason);
}
