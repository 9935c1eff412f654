namespace Overlay.Raft;

/// <summary>Whose log a folder holds.</summary>
/// <param name="Cluster">The cluster's id, at most <see cref="StateFormat.MaxClusterBytes"/> bytes.</param>
/// <param name="Member">The life of the disk; a wiped one comes back with another.</param>
public sealed record LogIdentity(string Cluster, MemberId Member);
