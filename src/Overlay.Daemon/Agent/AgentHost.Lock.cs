using System.Net;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Trust;
using Overlay.Raft.Secrecy;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>A manager whose disk is locked: it waits for its key, and leaves the kernel as it is.</summary>
internal sealed partial class AgentHost
{
    private volatile MembershipRecord? locked;

    /// <summary>Null: nothing is locked here.</summary>
    public MembershipRecord? Locked => locked;

    /// <summary>Goes on with the start where the lock stopped it.</summary>
    /// <param name="text">The unlock key as it was printed.</param>
    public async Task<Outcome<UnlockResponse>> UnlockAsync(string text, CancellationToken cancellationToken)
    {
        using Entry entry = await EnterGateAsync(cancellationToken);
        if (locked is not { } record)
        {
            return membership is null
                ? NotInCluster("unlock")
                : new Refusal(
                    RefusalKind.Conflict, "Nothing was unlocked.", "This manager runs, and needs no key.",
                    "`overlayd status` shows how it is.");
        }

        Outcome<UnlockKey> key = UnlockKey.Parse(text);
        if (key.Refusal is { } unreadable)
        {
            return unreadable;
        }

        services.Lock.Key = key.Value.Secret.ToArray();
        try
        {
            if (LoadIdentity(record) is not { } identity)
            {
                services.Lock.Key = [];
                return new Refusal(
                    RefusalKind.NotPermitted, "This manager stays locked.", "It is not the key that its disk was locked with.",
                    "If the key was replaced while this manager was off, type the one of before; otherwise that of "
                    + "`overlayd unlock-key show` on another manager.");
            }

            await EnterAsync(record, identity, cancellationToken);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            services.Lock.Key = [];
            return new Refusal(
                RefusalKind.Unavailable, "The key is right, and this manager did not start.", e.Message.TrimEnd('.') + ".",
                "When that is put right, type `overlayd unlock` again.");
        }

        locked = null;
        services.Reconciler.Start();
        LogUnlocked(record.ClusterId);
        LogResumed(record.ClusterId, record.NodeId);
        return new UnlockResponse { ClusterId = record.ClusterId, NodeId = record.NodeId };
    }

    /// <summary>Why what needs a cluster cannot be done.</summary>
    public Refusal Absence(string verb) => locked is null
        ? NotInCluster(verb)
        : new(
            RefusalKind.Unavailable, $"Cannot {verb}.", "This manager is locked since its restart.",
            "Type `overlayd unlock` and give it the cluster's unlock key; `overlayd unlock-key show` on another manager prints it.");

    /// <summary>Without its key, what is on this disk is lost anyway.</summary>
    private Refusal? GiveUpLocked()
    {
        MembershipRecord record = locked!;
        Membership.Erase(services.Settings.StateFolder);
        locked = null;
        IPAddress vtep = IPAddress.Parse(record.DataPathAddress);
        services.Reconciler.Want(0, new()
        {
            Vtep = vtep,
            UnderlayMtu = services.UnderlayMtu(vtep),
            VxlanPort = services.Settings.VxlanPort,
            GatewayPrefix = services.GatewayPrefix,
        });
        services.Reconciler.Start();
        LogLeft(record.ClusterId);
        return null;
    }

    /// <returns>Null: this node is a manager whose disk is locked, and the key that was given is not the right one.</returns>
    private NodeIdentity? LoadIdentity(MembershipRecord record)
    {
        string folder = ManagerStorage.FolderOf(services.Settings.StateFolder);
        LogKeys? keys = null;
        KeyFileVerdict? verdict = null;
        if (Directory.Exists(folder))
        {
            using DiskFolder log = new(folder);
            verdict = ManagerStorage.TryKeys(log, record.ClusterId, services.Lock.Key, out keys);
        }

        bool isSealed = NodeIdentity.SealedWith(services.Settings.StateFolder) != 0;
        if (verdict == KeyFileVerdict.Locked && isSealed)
        {
            return null;
        }

        NodeIdentity identity = NodeIdentity.Load(services.Settings.StateFolder, keys);
        return verdict == KeyFileVerdict.Locked && identity.Role == NodeRole.Manager ? null : identity;
    }

    [LoggerMessage(EventId = 806, Level = LogLevel.Warning, Message = "The manager of cluster {Cluster} on this host is locked: type `overlayd unlock`")]
    private partial void LogIsLocked(string cluster);

    [LoggerMessage(EventId = 807, Level = LogLevel.Information, Message = "The manager of cluster {Cluster} on this host is unlocked")]
    private partial void LogUnlocked(string cluster);
}
