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
        ["/overlay.v1.Control/ListNodes"] = Access.Managers,
        ["/overlay.v1.Control/Watch"] = Access.Managers,
        ["/overlay.v1.Raft/Exchange"] = Access.Managers,
        ["/overlay.v1.Raft/InstallSnapshot"] = Access.Managers,
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

    public static Access Of(string method) => Methods.GetValueOrDefault(method, Access.Nobody);

    public static bool Allows(Access access, NodeRole role) => access switch
    {
        Access.Anyone => true,
        Access.Members => role is NodeRole.Worker or NodeRole.Manager,
        Access.Managers => role is NodeRole.Manager,
        _ => false,
    };
}
