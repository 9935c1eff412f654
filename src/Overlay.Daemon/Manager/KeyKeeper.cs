using Grpc.Core;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Gossip;
using Overlay.Gossip.Serf;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>
/// Replaces the gossip key on a manager, step by step as <see cref="KeyRotation"/> says. Nodes get keys by their
/// sessions alone; members that are no nodes are asked by serf's key queries, unless the key is replaced because
/// somebody outside knows it, who could read those queries.
/// </summary>
internal sealed partial class KeyKeeper(
    ManagerServer manager, NodeLoop loop, GossipCalls gossip, KeyRotation rotation, MonotonicClock clock, Func<byte[]> newKey,
    ILogger<KeyKeeper> logger)
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    private readonly SortedSet<string> followed = new(StringComparer.Ordinal);
    private ulong followedAt;

    /// <summary>Who gossips now.</summary>
    public sealed record Living(SortedSet<string> Nodes, string[] Foreigners)
    {
        public static Living Of(Node.Node node)
        {
            ILookup<bool, string> members = node.Gossip.Members
                .Where(static m => m.Presence is Presence.Alive or Presence.Suspect or Presence.Degraded or Presence.HeldDown)
                .ToLookup(static m => m.IsForeign, static m => m.Name);
            return new(new(members[false], StringComparer.Ordinal), [.. members[true]]);
        }
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            ClusterState state = manager.Loop.State;
            bool runs = state.Cluster!.GossipRotation is { Wanted: false };
            bool held = runs && await IsHeldAsync(state, cancellationToken);
            KeyStep step = rotation.Next(state, held, clock.Now, clock.UnixMs);
            if (step == KeyStep.None)
            {
                await WaitAsync(state.Version, runs ? Pace : Rest, cancellationToken);
            }
            else
            {
                await TakeAsync(step, state.Cluster, cancellationToken);
            }
        }
    }

    private async Task<bool> IsHeldAsync(ClusterState state, CancellationToken cancellationToken)
    {
        Living living = await loop.ReadAsync(Living.Of, cancellationToken);
        bool held = !KeyRotation.Missing(state, manager.Keys.Of, living.Nodes.Contains).Any();
        GossipRotation now = state.Cluster!.GossipRotation;
        if (!held || now.Revoke || living.Foreigners.Length == 0)
        {
            return held;
        }

        if (followedAt != state.Cluster.Version)
        {
            followedAt = state.Cluster.Version;
            followed.Clear();
        }

        string[] asked = [.. living.Foreigners.Except(followed)];
        if (asked.Length > 0 && state.Cluster.GossipKeys.FirstOrDefault(k => k.Epoch == now.Epoch) is { } key)
        {
            followed.UnionWith(await gossip.AskKeyAsync(
                now.Used ? KeyQuestion.Use : KeyQuestion.Install, key.Key.ToByteArray(), asked, cancellationToken));
        }

        return living.Foreigners.All(followed.Contains);
    }

    private async Task TakeAsync(KeyStep step, ClusterObject before, CancellationToken cancellationToken)
    {
        Outcome<ClusterObject> taken = await manager.Loop.ProposeAsync(
            intent => step switch
            {
                KeyStep.Begin => intent.BeginKeyRotation(newKey(), "it sealed as long as it may"),
                KeyStep.Use => intent.UseNewKey(),
                _ => intent.FinishKeyRotation(),
            },
            "", cancellationToken);
        if (taken.Refusal is { } refusal)
        {
            LogNotTaken(refusal.Why);
            await Task.Delay(Pace, clock.Time, cancellationToken);
            return;
        }

        manager.Keys.Keep(manager.Loop.State);
        switch (step)
        {
            case KeyStep.Begin:
                LogBegun(taken.Value.GossipRotation.Epoch, taken.Value.GossipRotation.Reason);
                break;
            case KeyStep.Use:
                LogUsed(taken.Value.GossipKeys[0].Epoch);
                break;
            default:
                await FinishedAsync(taken.Value, before.GossipRotation?.Revoke ?? false, cancellationToken);
                break;
        }
    }

    private async Task FinishedAsync(ClusterObject after, bool revoked, CancellationToken cancellationToken)
    {
        LogFinished(after.GossipKeys[0].Epoch, after.GossipKeys.Count);
        Living living = await loop.ReadAsync(Living.Of, cancellationToken);
        if (living.Foreigners.Length == 0)
        {
            return;
        }

        if (revoked)
        {
            LogForeigners(living.Foreigners.Length, string.Join(", ", living.Foreigners.Take(8)));
            return;
        }

        IReadOnlyList<byte[]> held = await gossip.ListKeysAsync(living.Foreigners, cancellationToken);
        foreach (byte[] old in held.Where(k => !after.GossipKeys.Any(kept => kept.Key.Span.SequenceEqual(k))))
        {
            await gossip.AskKeyAsync(KeyQuestion.Remove, old, living.Foreigners, cancellationToken);
        }
    }

    private async Task WaitAsync(ulong version, TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            await manager.Loop.WaitForCalmAsync(version, limit, cancellationToken);
        }
        catch (RpcException)
        {
            // The store has ended, and tells why itself.
            await Task.Delay(Timeout.InfiniteTimeSpan, clock.Time, cancellationToken);
        }
    }

    [LoggerMessage(EventId = 720, Level = LogLevel.Information, Message = "Gossip key {Epoch} is given to all nodes, because {Reason}")]
    private partial void LogBegun(ulong epoch, string reason);

    [LoggerMessage(EventId = 721, Level = LogLevel.Information, Message = "Gossip key {Epoch} seals from now on")]
    private partial void LogUsed(ulong epoch);

    [LoggerMessage(EventId = 722, Level = LogLevel.Information, Message = "Gossip key {Epoch} has taken over; {Count} are held")]
    private partial void LogFinished(ulong epoch, int count);

    [LoggerMessage(EventId = 723, Level = LogLevel.Warning,
        Message = "{Count} serf agents lack the new gossip key ({Names}): start them again with what `overlayd gossip key` prints")]
    private partial void LogForeigners(int count, string names);

    [LoggerMessage(EventId = 724, Level = LogLevel.Warning, Message = "The gossip key was not changed: {Reason}")]
    private partial void LogNotTaken(string reason);
}
