using Google.Protobuf.Reflection;
using Overlay.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Trust;

public sealed class MethodPolicyTests
{
    private static IEnumerable<ServiceDescriptor> Services =>
        [.. ManagerReflection.Descriptor.Services, .. RaftReflection.Descriptor.Services];

    [Fact]
    public void Lists_exactly_the_methods_of_the_manager_api()
    {
        IEnumerable<string> methods = Services.SelectMany(
            static service => service.Methods, static (service, method) => $"/{service.FullName}/{method.Name}");
        Assert.Equal(methods.Order(StringComparer.Ordinal), MethodPolicy.Listed.Where(static m => !IsAdmin(m)));
        Assert.NotEmpty(MethodPolicy.Listed);
    }

    [Fact]
    public void Of_the_operators_api_managers_alone_may_call_what_goes_to_the_leader()
    {
        string[] passed = [.. MethodPolicy.ForLeader.Where(IsAdmin)];
        Assert.Equal(passed, MethodPolicy.Listed.Where(IsAdmin));
        Assert.All(passed, static m => Assert.Equal(MethodPolicy.Access.Managers, MethodPolicy.Of(m)));
        ServiceDescriptor admin = AdminReflection.Descriptor.Services.Single();
        Assert.All(passed, m => Assert.Contains(admin.Methods, method => m == $"/{admin.FullName}/{method.Name}"));
    }

    [Fact]
    public void What_goes_to_the_leader_is_unary_and_somebodys()
    {
        MethodDescriptor[] all = [.. Services.Append(AdminReflection.Descriptor.Services.Single()).SelectMany(static s => s.Methods)];
        foreach (string path in MethodPolicy.ForLeader)
        {
            MethodDescriptor method = all.Single(m => path == $"/{m.Service.FullName}/{m.Name}");
            Assert.False(method.IsClientStreaming || method.IsServerStreaming, path);
            Assert.NotEqual(MethodPolicy.Access.Nobody, MethodPolicy.Of(path));
        }
    }

    [Fact]
    public void Bootstrap_is_for_anyone_agent_for_members_control_and_raft_for_managers()
    {
        foreach (ServiceDescriptor service in Services)
        {
            MethodPolicy.Access access = service.Name switch
            {
                "Bootstrap" => MethodPolicy.Access.Anyone,
                "Agent" => MethodPolicy.Access.Members,
                "Control" or "Raft" => MethodPolicy.Access.Managers,
                _ => MethodPolicy.Access.Nobody,
            };
            Assert.All(service.Methods, m => Assert.Equal(access, MethodPolicy.Of($"/{service.FullName}/{m.Name}")));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/overlay.v1.Control/ListNodes/")]
    [InlineData("/overlay.v1.control/listnodes")]
    [InlineData("/overlay.v1.Admin/GetStatus")]
    [InlineData("/overlay.v1.Control/Reset")]
    [InlineData("//overlay.v1.Bootstrap/GetRootCertificate")]
    public void What_is_not_listed_is_for_nobody(string method)
    {
        MethodPolicy.Access access = MethodPolicy.Of(method);
        Assert.All(Enum.GetValues<NodeRole>(), role => Assert.False(MethodPolicy.Allows(access, role)));
    }

    [Theory]
    [InlineData(MethodPolicyTests.Anyone, true, true, true)]
    [InlineData(MethodPolicyTests.Members, false, true, true)]
    [InlineData(MethodPolicyTests.Managers, false, false, true)]
    public void Roles_open_what_is_theirs(string access, bool stranger, bool worker, bool manager)
    {
        MethodPolicy.Access parsed = Enum.Parse<MethodPolicy.Access>(access);
        Assert.Equal(stranger, MethodPolicy.Allows(parsed, NodeRole.Unspecified));
        Assert.Equal(worker, MethodPolicy.Allows(parsed, NodeRole.Worker));
        Assert.Equal(manager, MethodPolicy.Allows(parsed, NodeRole.Manager));
    }

    private static bool IsAdmin(string method) => method.StartsWith("/overlay.v1.Admin/", StringComparison.Ordinal);

    private const string Anyone = nameof(MethodPolicy.Access.Anyone);
    private const string Members = nameof(MethodPolicy.Access.Members);
    private const string Managers = nameof(MethodPolicy.Access.Managers);
}
