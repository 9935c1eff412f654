using System.Globalization;
using Google.Protobuf;
using Overlay.Cluster.Addresses;
using Overlay.Cluster.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>The cluster object: made once, then its secrets and keys rotate.</summary>
internal static class ClusterChanges
{
    private const uint ShortestPoolPrefix = 8;
    private const uint LongestPoolPrefix = 29;
    private const int LongestPool6 = 64;
    private const long LeastCertificateLife = 60;
    private const long MostCertificateLife = 10L * 366 * 24 * 3600;
    private const long MostQuarantine = 7 * 24 * 3600;
    private const string NotMade = "The cluster was not made.";

    public static Outcome<Proposal<ClusterObject>> Bootstrap(ClusterState state, BootstrapSpec spec, Draft draft)
    {
        if (state.Cluster is not null)
        {
            return new Refusal(
                RefusalKind.Conflict, NotMade, $"This manager already belongs to cluster {state.Cluster.Id}.",
                "Type `overlayd leave --force` first if you mean to give that cluster up.");
        }

        Invariant.Holds(spec.ClusterId.Length > 0 && spec.CaCertificate.Length > 0 && spec.CaKey.Length > 0);
        Invariant.Holds(spec.WorkerSecret.Length == JoinToken.SecretBytes, "a join secret has 16 bytes");
        Invariant.Holds(spec.ManagerSecret.Length == JoinToken.SecretBytes, "a join secret has 16 bytes");
        Invariant.Holds(spec.GossipKey.Length == Limits.GossipKeyBytes, "a gossip key has 32 bytes");
        ClusterObject cluster = ObjectOf(spec, draft.UnixMs);
        if (NumberFault(cluster) is { } fault)
        {
            return fault;
        }

        if (!ReadPools(spec, cluster.DefaultPoolPrefix).TryGet(out List<string>? pools, out Refusal? refusal))
        {
            return refusal;
        }

        cluster.DefaultPools.AddRange(pools);
        NodeObject manager = spec.FirstManager.Clone();
        manager.Role = NodeRole.Manager;
        manager.CreatedUnixMs = draft.UnixMs;
        if (NodeRules.Fault(manager, NotMade) is { } inNode)
        {
            return inNode;
        }

        draft.Create(new() { Cluster = cluster });
        draft.Create(new() { Node = manager });
        return draft.Finish(cluster);
    }

    public static Outcome<Proposal<ClusterObject>> RotateSecret(
        ClusterState state, NodeRole role, ReadOnlySpan<byte> secret, Draft draft)
    {
        Invariant.Holds(secret.Length == JoinToken.SecretBytes, "a join secret has 16 bytes");
        ClusterObject cluster = state.Cluster!.Clone();
        switch (role)
        {
            case NodeRole.Worker:
                cluster.WorkerSecret = ByteString.CopyFrom(secret);
                break;
            case NodeRole.Manager:
                cluster.ManagerSecret = ByteString.CopyFrom(secret);
                break;
            default:
                return new Refusal(
                    RefusalKind.Invalid, "No token was rotated.", "There are tokens for workers and for managers only.",
                    "Type `overlayd token rotate worker` or `overlayd token rotate manager`.");
        }

        draft.Update(new() { Cluster = cluster });
        return draft.Finish(cluster);
    }

    private static ClusterObject ObjectOf(BootstrapSpec spec, long unixMs)
    {
        ClusterObject cluster = new()
        {
            Id = spec.ClusterId,
            CaCertificate = spec.CaCertificate,
            CaKey = spec.CaKey,
            WorkerSecret = spec.WorkerSecret,
            ManagerSecret = spec.ManagerSecret,
            DefaultPoolPrefix = spec.DefaultPoolPrefix == 0
                ? BootstrapSpec.StandardPoolPrefix
                : spec.DefaultPoolPrefix,
            VxlanPort = spec.VxlanPort == 0 ? BootstrapSpec.StandardVxlanPort : spec.VxlanPort,
            CertificateLifeSeconds = spec.CertificateLifeSeconds == 0
                ? BootstrapSpec.StandardCertificateLifeSeconds
                : spec.CertificateLifeSeconds,
            QuarantineSeconds = spec.QuarantineSeconds == 0
                ? BootstrapSpec.StandardQuarantineSeconds
                : spec.QuarantineSeconds,
            NextVni = Vni.FirstAutomatic,
            UnlockKey = spec.UnlockKey,
            Epoch = 1,
        };
        cluster.GossipKeys.Add(new GossipKey { Key = spec.GossipKey, Epoch = 1, CreatedUnixMs = unixMs });
        return cluster;
    }

    private static Refusal? NumberFault(ClusterObject cluster) =>
        OutOfRange("--default-pool-prefix", cluster.DefaultPoolPrefix, ShortestPoolPrefix, LongestPoolPrefix)
        ?? OutOfRange("--vxlan-port", cluster.VxlanPort, 1, 65535)
        ?? OutOfRange(
            "--certificate-life in seconds", cluster.CertificateLifeSeconds, LeastCertificateLife, MostCertificateLife)
        ?? OutOfRange("the quarantine in seconds", cluster.QuarantineSeconds, 1, MostQuarantine);

    private static Refusal? OutOfRange(string name, long value, long least, long most) =>
        value >= least && value <= most
            ? null
            : new Refusal(
                RefusalKind.Invalid, NotMade,
                string.Create(CultureInfo.InvariantCulture, $"The value of {name} is {value}."),
                string.Create(CultureInfo.InvariantCulture, $"Choose a value from {least} to {most}."));

    private static Outcome<List<string>> ReadPools(BootstrapSpec spec, uint poolPrefix)
    {
        const string Option = "--default-address-pool";
        if (spec.DefaultPools.Length > Limits.DefaultPools)
        {
            return new Refusal(
                RefusalKind.Invalid, NotMade, $"{spec.DefaultPools.Length} address pools were given.",
                $"Give at most {Limits.DefaultPools}.");
        }

        List<Prefix> pools = [];
        foreach (string text in spec.DefaultPools.IsEmpty ? [BootstrapSpec.StandardPool] : spec.DefaultPools)
        {
            if (!AddressRules.ReadSubnet(text, NotMade, Option).TryGet(out Prefix pool, out Refusal? refusal))
            {
                return refusal;
            }

            long longest = pool.IsIpv6 ? LongestPool6 : poolPrefix;
            if (pool.Length > longest)
            {
                return new Refusal(
                    RefusalKind.Invalid, NotMade, $"No subnet of length {longest} fits into the pool {pool}.",
                    pool.IsIpv6
                        ? $"Give an IPv6 pool of length {LongestPool6} or shorter."
                        : "Give a larger pool, or "
                            + $"`--default-pool-prefix {Math.Min(pool.Length + 4, LongestPoolPrefix)}`.");
            }

            if (pools.Any(pool.Overlaps))
            {
                return new Refusal(
                    RefusalKind.Invalid, NotMade, $"The pool {pool} overlaps {pools.First(pool.Overlaps)}.",
                    "Give pools that do not overlap.");
            }

            pools.Add(pool);
        }

        return pools.ConvertAll(pool => pool.ToString());
    }
}
