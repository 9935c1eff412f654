using System.Collections.Concurrent;
using System.Reflection;
using Xunit.v3;

[assembly: Overlay.Tests.TimeLimit(180)]

namespace Overlay.Tests;

/// <summary>
/// A test that waits for what never comes is cancelled and named: the runner's own limit ends everything and says nothing.
/// It is no measure of speed: the longest test takes a tenth of it on a machine that is busy with others.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class TimeLimitAttribute(int seconds) : BeforeAfterTestAttribute
{
    private readonly ConcurrentDictionary<string, Timer> running = new();

    public int Seconds => seconds;

    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        ITestContext context = TestContext.Current;
        running[test.UniqueID] = new(
            _ =>
            {
                Console.Error.WriteLine($"{test.TestDisplayName} still runs after {seconds} s and is cancelled.");
                context.CancelCurrentTest();
            },
            null, TimeSpan.FromSeconds(seconds), Timeout.InfiniteTimeSpan);
    }

    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (running.TryRemove(test.UniqueID, out Timer? timer))
        {
            timer.Dispose();
        }
    }
}
