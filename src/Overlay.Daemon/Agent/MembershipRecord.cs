using System.Text.Json;
using System.Text.Json.Serialization;
using Overlay.Daemon.Storage;

namespace Overlay.Daemon.Agent;

/// <summary>
/// That this host is in a cluster, and with which addresses: the last file that init and join write and the first
/// that leave deletes. Without it, anything else in the state folder is the rest of an unfinished init or join.
/// </summary>
internal sealed record MembershipRecord
{
    public const string FileName = "membership.json";

    public required string ClusterId { get; init; }

    public required string NodeId { get; init; }

    /// <summary>ip:port of gossip.</summary>
    public required string GossipAddress { get; init; }

    public required string DataPathAddress { get; init; }

    /// <summary>ip:port the manager API listens on; empty on a worker.</summary>
    public string ListenAddress { get; init; } = "";

    /// <summary>ip:port under which other nodes reach the manager API; empty on a worker.</summary>
    public string ControlAddress { get; init; } = "";

    /// <summary>Managers to begin with, until an assignment names them.</summary>
    public IReadOnlyList<string> Managers { get; init; } = [];

    [JsonIgnore]
    public bool IsManager => ControlAddress.Length > 0;

    /// <summary>Null where this host is in no cluster.</summary>
    /// <exception cref="InvalidDataException">The file is there and is not what this agent wrote.</exception>
    public static MembershipRecord? Load(string stateFolder)
    {
        string path = Path.Combine(stateFolder, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), MembershipJson.Default.MembershipRecord);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException(
                $"{path} is damaged ({e.Message}). Restore it from a backup, or remove it and join the cluster again.", e);
        }
    }

    public void Save(string stateFolder) =>
        DurableFile.WriteAtomically(
            Path.Combine(stateFolder, FileName), JsonSerializer.SerializeToUtf8Bytes(this, MembershipJson.Default.MembershipRecord));
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(MembershipRecord))]
internal sealed partial class MembershipJson : JsonSerializerContext;
