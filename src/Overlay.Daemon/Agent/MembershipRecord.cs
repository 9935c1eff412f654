using System.Net;
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

    /// <summary>ip:port the manager API listens on while this node is a manager; empty: not said yet.</summary>
    public string ListenAddress { get; init; } = "";

    /// <summary>ip:port under which other nodes reach the manager API then; empty: not said yet.</summary>
    public string ControlAddress { get; init; } = "";

    /// <summary>Managers to begin with, until an assignment names them; empty where the cluster began on this node.</summary>
    public IReadOnlyList<string> Managers { get; init; } = [];

    /// <summary>Of the cluster's life when this node began it anew, or entered it; 0: of before epochs were counted.</summary>
    public ulong Epoch { get; init; }

    /// <summary>What the settings said of addresses when these were chosen; other words at a start move the node.</summary>
    public string Asked { get; init; } = "";

    /// <summary>It had other addresses before: nodes that know only those find it by gossip.</summary>
    public bool HasMoved { get; init; }

    [JsonIgnore]
    public bool IsFounder => Managers.Count == 0;

    /// <summary>With what earlier versions did not write down for workers.</summary>
    public MembershipRecord WithAddresses(int managerPort)
    {
        string usual = new IPEndPoint(IPEndPoint.Parse(GossipAddress).Address, managerPort).ToString();
        return ControlAddress.Length > 0 ? this : this with { ListenAddress = usual, ControlAddress = usual };
    }

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
