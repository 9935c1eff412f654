using System.Security.Cryptography;
using Grpc.Core;
using Overlay.Cluster;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>The keys of gossip, as far as a manager replaces them.</summary>
internal sealed partial class AdminService
{
    public override async Task<ListGossipKeysResponse> ListGossipKeys(ListGossipKeysRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("list the gossip keys");
        KeyKeeper.Living living = await host.Current!.ReadAsync(KeyKeeper.Living.Of, context.CancellationToken);
        ClusterState state = manager.Loop.State;
        GossipRotation? rotation = state.Cluster!.GossipRotation;
        ListGossipKeysResponse response = new() { Rotation = rotation?.Reason ?? "" };
        response.Keys.AddRange(state.Cluster.GossipKeys.Select((key, place) => new GossipKeyView
        {
            Epoch = key.Epoch,
            CreatedUnixMs = key.CreatedUnixMs,
            State = StateOf(key, place, rotation),
        }));
        if (rotation is not null)
        {
            response.WaitingFor.AddRange(
                KeyRotation.Missing(state, manager.Keys.Of, living.Nodes.Contains).Select(static n => n.Hostname));
        }

        return response;
    }

    public override async Task<RotateGossipKeyResponse> RotateGossipKey(RotateGossipKeyRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("replace the gossip key");
        byte[] key = RandomNumberGenerator.GetBytes(Limits.GossipKeyBytes);
        ClusterObject begun = RefusalStatus.Require(await manager.Loop.ProposeAsync(
            intent => intent.BeginKeyRotation(key, "an operator asked for it"), "", context.CancellationToken));
        ulong epoch = begun.GossipRotation.Epoch;
        ClusterState state = manager.Loop.State;
        while (!request.Detach && state.Cluster!.GossipRotation?.Epoch == epoch)
        {
            state = await manager.Loop.WaitForChangeAsync(state.Version, context.CancellationToken);
        }

        return new() { Epoch = epoch };
    }

    private static string StateOf(GossipKey key, int place, GossipRotation? rotation) =>
        rotation is { Used: false, Wanted: false } && key.Epoch == rotation.Epoch ? "coming"
        : rotation is { Revoke: true } && (rotation.Wanted || key.Epoch != rotation.Epoch) ? "revoked"
        : place == 0 ? "seals"
        : "opens";
}
