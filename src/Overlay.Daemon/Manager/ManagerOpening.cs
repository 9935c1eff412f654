using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Manager.Repair;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Trust;
using Overlay.Raft;

namespace Overlay.Daemon.Manager;

/// <summary>A manager's store and engine from its disk; first mended by the others where that is damaged.</summary>
internal static class ManagerOpening
{
    /// <returns>With what had to be done to the log, as a sentence; null: nothing.</returns>
    /// <exception cref="InvalidDataException">The log is another's, or was lost.</exception>
    public static async Task<(ManagerLoop Loop, string? Mended)> OpenAsync(
        MembershipRecord record, NodeIdentity identity, IReadOnlyList<PeerAddress> peers, AgentServices services, LogMending? mending,
        CancellationToken cancellationToken)
    {
        SpareRoom.Prepare(services.Settings.StateFolder);
        bool mayMend = mending is not null && peers.Count > 0;
        LogStore log = ManagerStorage.Open(
            new DiskFolder(ManagerStorage.FolderOf(services.Settings.StateFolder)), record.ClusterId, MemberId.None, services.Lock.Key,
            out LogRecovery found, [NodeIdentity.SealedWith(services.Settings.StateFolder)], allowDamage: mayMend);
        try
        {
            PeerSelf self = new(record.ClusterId, log.Identity!.Member, Math.Max(1, record.Epoch)) { Address = record.ControlAddress };
            string? mended = null;
            if (found.Damaged.Count > 0)
            {
                LogRepairer repairer = new(log, found, self, peers, mending!, services.Clock, services.Logs.CreateLogger<LogRepairer>());
                await using WebApplication api = await RepairServer.StartAsync(record, identity, repairer, services, cancellationToken);
                found = await repairer.RunAsync(new RepairCalls(repairer, identity, services.Clock.Time), cancellationToken);
                mended = repairer.Outcome;
            }

            if (found.Fault is { } fault)
            {
                throw new StorageCorruptException(log.Folder, fault.File, fault.Reason);
            }

            if (record.IsFounder && log.LastIndex == 0)
            {
                throw new InvalidDataException(
                    $"{log.Folder} holds no cluster. Restore it from a backup, or begin anew with `overlayd leave --force` and `overlayd init`.");
            }

            ManagerLoop loop = new(found, log, new()
            {
                Self = self,
                IsFounder = record.IsFounder,
                Seeds = peers,
                Clock = services.Clock,
                Prng = services.NewPrng(),
                Instruments = services.Instruments,
                Logger = services.Logs.CreateLogger<ManagerLoop>(),
            });
            return (loop, mended);
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }
}
