using System.Net;
using Google.Protobuf;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Storage;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.Tests.Cluster;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>The node's own state file: what any damage to it leads to.</summary>
public sealed class NodeStateFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string FilePath => Path.Combine(folder.Path, NodeStateFile.FileName);

    private static string NodeId => World.NodeIdOf(1);

    public void Dispose() => folder.Dispose();

    private static LocalState State()
    {
        World world = new("10.0.0.0/8");
        world.AddNode(2);
        NetworkObject blue = world.Create("blue");
        NetworkObject red = world.Create("red", "10.9.0.0/24", "fd09::/64");
        LocalState state = new()
        {
            NodeId = NodeId,
            Assignment = Overlay.Cluster.AssignmentBuilder.For(world.Store, Overlay.Primitives.NodeId.Parse(NodeId), 0),
            MacCounter = 3,
        };
        foreach ((ulong id, NetworkObject network) in (IEnumerable<(ulong, NetworkObject)>)[(5, blue), (6, red)])
        {
            state.Endpoints.Add(new LocalEndpointState
            {
                Id = new EndpointId(id).ToString(),
                NetworkId = network.Id,
                Sandbox = "box",
                Interface = $"eth{id}",
                Mac = ByteString.CopyFrom(2, 0, 0, 0, 0, (byte)id),
                Ipv4 = network.Segments[0].Ipv4.Subnet.Replace(".0/24", ".9", StringComparison.Ordinal),
                Ipv6 = network.Segments[0].Ipv6 is null ? "" : "fd09::9",
                Name = $"name{id}",
                Aliases = { "alias" },
                CreatedUnixMs = 1_000,
            });
        }

        state.Resting.Add(new RestingAddress { NetworkId = blue.Id, Address = "10.0.0.33", ReleasedUnixMs = 900 });
        return state;
    }

    private static Overlay.Node.Node Restored(LocalState state) => new(
        new()
        {
            Id = Overlay.Primitives.NodeId.Parse(NodeId),
            GossipAddress = IPEndPoint.Parse("192.0.2.1:7946"),
            Vtep = IPAddress.Parse("192.0.2.1"),
            UnderlayMtu = 1500,
            BootId = 1,
            GatewayPrefix = System.Net.IPNetwork.Parse("172.18.0.0/16"),
        },
        state, new Prng(1));

    private InvalidDataException Refused(byte[] bytes)
    {
        File.WriteAllBytes(FilePath, bytes);
        InvalidDataException refusal = Assert.Throws<InvalidDataException>(() => NodeStateFile.Load(folder.Path, NodeId));
        Assert.StartsWith($"{FilePath} is damaged (", refusal.Message, StringComparison.Ordinal);
        Assert.Contains($"`rm {FilePath} && systemctl restart overlayd`", refusal.Message, StringComparison.Ordinal);
        return refusal;
    }

    [Fact]
    public void What_was_written_comes_back_and_is_not_taken_for_another_nodes()
    {
        Assert.Null(NodeStateFile.Load(folder.Path, NodeId));
        using (StateWriter writer = new(FilePath, static (_, error) => Assert.Null(error)))
        {
            writer.Write(1, State());
        }

        LocalState back = NodeStateFile.Load(folder.Path, NodeId)!;
        Assert.Equal(State(), back);
        Assert.Equal(2, Restored(back).Endpoints.Count);
        Assert.Null(NodeStateFile.Load(folder.Path, World.NodeIdOf(2)));
        Assert.Equal(DurableFile.Private, File.GetUnixFileMode(FilePath));
    }

    [Fact]
    public void Every_damaged_byte_and_every_length_is_refused()
    {
        byte[] sound = NodeStateFile.Write(State());
        for (int at = 0; at < sound.Length; at++)
        {
            byte[] bytes = [.. sound];
            bytes[at] ^= 0x20;
            Assert.False(CheckedFile.TryUnwrap(bytes, out _), $"byte {at}");
            Assert.False(CheckedFile.TryUnwrap(sound.AsMemory(0, at), out _), $"length {at}");
        }

        Refused([]);
        Refused(sound[..^1]);
        Refused([.. sound, 0]);
        Refused("{}"u8.ToArray());
    }

    [Fact]
    public void A_file_longer_than_any_can_be_is_not_read()
    {
        using (FileStream file = File.Create(FilePath))
        {
            file.SetLength(1L << 40);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidDataException>(() => NodeStateFile.Load(folder.Path, NodeId));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Content_of_any_origin_under_a_valid_checksum_is_refused_or_taken_and_never_breaks_the_node()
    {
        Prng prng = new(9);
        byte[] sound = State().ToByteArray();
        (int refused, int taken) = (0, 0);
        for (int round = 0; round < 4_000; round++)
        {
            byte[] data = prng.Chance(0.1) ? sound[..prng.Next(sound.Length)] : [.. sound];
            for (int flips = 1 + prng.Next(3); flips > 0 && data.Length > 0; flips--)
            {
                int at = prng.Next(data.Length);
                data[at] = prng.Chance(0.5) ? (byte)prng.Next(256) : (byte)(data[at] ^ (1 << prng.Next(8)));
            }

            File.WriteAllBytes(FilePath, CheckedFile.Wrap(data));
            try
            {
                if (NodeStateFile.Load(folder.Path, NodeId) is { } state)
                {
                    Overlay.Node.Node node = Restored(state);
                    node.Start(new Instant(0), new NodeEffects());
                    node.Inputs();
                    node.SandboxZones();
                    taken++;
                }
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }

        Assert.True(refused > 500 && taken > 500, $"{refused} refused, {taken} taken");
    }

    [Theory]
    [InlineData("endpoint id")]
    [InlineData("network id")]
    [InlineData("segment")]
    [InlineData("gateway slot")]
    [InlineData("mac")]
    [InlineData("interface")]
    [InlineData("ipv4")]
    [InlineData("ipv6")]
    [InlineData("service")]
    [InlineData("weight")]
    [InlineData("health")]
    [InlineData("health command")]
    [InlineData("resting address")]
    [InlineData("resting network")]
    public void What_the_node_could_not_take_back_is_named(string what)
    {
        LocalState state = State();
        LocalEndpointState endpoint = state.Endpoints[1];
        Action break_ = what switch
        {
            "endpoint id" => () => endpoint.Id = "x",
            "network id" => () => endpoint.NetworkId = "",
            "segment" => () => endpoint.Segment = 7,
            "gateway slot" => () => endpoint.GatewaySlot = uint.MaxValue,
            "mac" => () => endpoint.Mac = ByteString.Empty,
            "interface" => () => endpoint.Interface = "sixteencharacter",
            "ipv4" => () => endpoint.Ipv4 = "fd09::9",
            "ipv6" => () => endpoint.Ipv6 = "10.0.0.1",
            "service" => () => endpoint.ServiceId = "web",
            "weight" => () => endpoint.Weight = 65536,
            "health" => () => endpoint.Health = (EndpointHealth)4,
            "health command" => () => endpoint.HealthCommand = new string('x', 4097),
            "resting address" => () => state.Resting[0].Address = "nowhere",
            _ => () => state.Resting[0].NetworkId = "",
        };
        Assert.Null(LocalStateFault.Of(state));
        break_();
        string fault = LocalStateFault.Of(state)!;
        Assert.Contains(fault, Refused(NodeStateFile.Write(state)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_state_that_cannot_be_written_is_told_and_the_old_one_stays()
    {
        List<(long Revision, string? Error)> told = [];
        string nowhere = Path.Combine(folder.Path, "nowhere", NodeStateFile.FileName);
        using (StateWriter writer = new(nowhere, (revision, error) => told.Add((revision, error))))
        {
            writer.Write(7, State());
        }

        (long revision, string? error) = Assert.Single(told);
        Assert.Equal(7, revision);
        Assert.StartsWith($"{nowhere}: Could not find a part of the path", error, StringComparison.Ordinal);
    }
}
