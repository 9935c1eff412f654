using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>Which role may call which method of the manager API. What is not listed is denied.</summary>
internal static class MethodPolicy
{
    private static readonly SortedDictionary<string, Access> Methods = new(StringComparer.Ordinal)
    {
        ["/overlay.v1.Bootstrap/GetRootCertificate"] = Access.Anyone,
        ["/overlay.v1.Bootstrap/IssueCertificate"] = Access.Anyone,
        ["/overlay.v1.Agent/Session"] = Access.Members,
        ["/overlay.v1.Agent/RenewCertificate"] = Access.Members,
        ["/overlay.v1.Agent/LeaseBlock"] = Access.Members,
        ["/overlay.v1.Agent/ReserveAddress"] = Access.Members,
        ["/overlay.v1.Agent/ReleaseAddress"] = Access.Members,
        ["/overlay.v1.Agent/LeaveCluster"] = Access.Members,
        ["/overlay.v1.Agent/ConfirmKeys"] = Access.Members,
        ["/overlay.v1.Agent/ConfirmDrain"] = Access.Members,
        ["/overlay.v1.Control/ListNodes"] = Access.Managers,
        ["/overlay.v1.Control/Watch"] = Access.Managers,
        ["/overlay.v1.Control/AdmitNode"] = Access.Managers,
        ["/overlay.v1.Control/DescribeNode"] = Access.Managers,
        ["/overlay.v1.Control/ChangeCluster"] = Access.Managers,
        ["/overlay.v1.Raft/Exchange"] = Access.Managers,
        ["/overlay.v1.Raft/InstallSnapshot"] = Access.Managers,
        ["/overlay.v1.Raft/Repair"] = Access.Managers,
        ["/overlay.v1.Raft/FetchSnapshot"] = Access.Managers,
        // What an operator asks of one manager, and that one of the leader.
        ["/overlay.v1.Admin/RotateToken"] = Access.Managers,
        ["/overlay.v1.Admin/RemoveNode"] = Access.Managers,
        ["/overlay.v1.Admin/SetNodeRole"] = Access.Managers,
        ["/overlay.v1.Admin/UpdateNode"] = Access.Managers,
        ["/overlay.v1.Admin/CreateNetwork"] = Access.Managers,
        ["/overlay.v1.Admin/RemoveNetwork"] = Access.Managers,
        ["/overlay.v1.Admin/CreateService"] = Access.Managers,
        ["/overlay.v1.Admin/UpdateService"] = Access.Managers,
        ["/overlay.v1.Admin/RemoveService"] = Access.Managers,
        ["/overlay.v1.Admin/ListGossipKeys"] = Access.Managers,
        ["/overlay.v1.Admin/RotateGossipKey"] = Access.Managers,
        ["/overlay.v1.Admin/RotateCa"] = Access.Managers,
    };

    /// <summary>
    /// What the leader alone can serve. A manager that does not lead passes it on; once more, if it was not answered, where
    /// that does no harm: such a request has an id by which it is applied once, or asks for a state that is there then.
    /// </summary>
    private static readonly SortedDictionary<string, bool> Repeatable = new(StringComparer.Ordinal)
    {
        ["/overlay.v1.Agent/LeaseBlock"] = true,
        ["/overlay.v1.Agent/ReserveAddress"] = true,
        ["/overlay.v1.Agent/ReleaseAddress"] = true,
        ["/overlay.v1.Agent/LeaveCluster"] = true,
        ["/overlay.v1.Agent/ConfirmDrain"] = true,
        ["/overlay.v1.Control/AdmitNode"] = true,
        ["/overlay.v1.Control/DescribeNode"] = true,
        ["/overlay.v1.Control/ChangeCluster"] = false,
        ["/overlay.v1.Admin/RotateToken"] = false,
        ["/overlay.v1.Admin/RemoveNode"] = false,
        ["/overlay.v1.Admin/SetNodeRole"] = true,
        ["/overlay.v1.Admin/UpdateNode"] = false,
        ["/overlay.v1.Admin/CreateNetwork"] = true,
        ["/overlay.v1.Admin/RemoveNetwork"] = false,
        ["/overlay.v1.Admin/CreateService"] = true,
        ["/overlay.v1.Admin/UpdateService"] = false,
        ["/overlay.v1.Admin/RemoveService"] = false,
        ["/overlay.v1.Admin/ListGossipKeys"] = true,
        ["/overlay.v1.Admin/RotateGossipKey"] = false,
        ["/overlay.v1.Admin/RotateCa"] = false,
    };

    public enum Access
    {
        Nobody,
        Anyone,
        Members,
        Managers,
    }

    /// <summary>Every method that somebody may call, for the test that compares it with the services.</summary>
    public static IEnumerable<string> Listed => Methods.Keys;

    /// <summary>
    /// What a node may call whose certificate has expired while it, or the whole cluster, was off: what brings it another
    /// one, if the store still has the node. Managers must agree first.
    /// </summary>
    public static bool ServesExpired(string method) =>
        method is "/overlay.v1.Agent/RenewCertificate" || method.StartsWith("/overlay.v1.Raft/", StringComparison.Ordinal);

    /// <summary>Every method that goes to the leader.</summary>
    public static IEnumerable<string> ForLeader => Repeatable.Keys;

    public static bool IsForLeader(string method) => Repeatable.ContainsKey(method);

    /// <summary>It may be asked again after an attempt of which nobody knows the end.</summary>
    public static bool IsRepeatable(string method) => Repeatable.GetValueOrDefault(method);

    public static Access Of(string method) => Methods.GetValueOrDefault(method, Access.Nobody);

    public static bool Allows(Access access, NodeRole role) => access switch
    {
        Access.Anyone => true,
        Access.Members => role is NodeRole.Worker or NodeRole.Manager,
        Access.Managers => role is NodeRole.Manager,
        _ => false,
    };
}
