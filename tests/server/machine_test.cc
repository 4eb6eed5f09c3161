#include "server/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

namespace hearwire {
namespace {

using testing::ElementsAre;

class MachineTest : public testing::Test {
 protected:
  MachineTest()
      : root_(testing::TempDir() + "machine_test_" + std::to_string(getpid()) + "_" +
              testing::UnitTest::GetInstance()->current_test_info()->name()) {
    Write("/proc/meminfo", "MemTotal:       16384 kB\nMemFree:        1 kB\n");
  }
  ~MachineTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  void MountVersion2(const std::string& group) {
    Write("/proc/self/mountinfo",
          "22 1 0:20 / /proc rw shared:5 - proc proc rw\n"
          "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
    Write("/proc/self/cgroup", "0::" + group + "\n");
  }

  // So many, from 0 on.
  static std::vector<int> Cpus(int count) {
    std::vector<int> cpus(static_cast<size_t>(count));
    std::iota(cpus.begin(), cpus.end(), 0);
    return cpus;
  }

  const std::string root_;
};

TEST_F(MachineTest, TakesAffinityAndPhysicalMemoryWithoutCgroups) {
  const Machine machine = ReadMachine(root_, Cpus(8));
  EXPECT_EQ(machine.cpus, 8);
  EXPECT_THAT(machine.affinity, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(machine.memory_bytes, 16384 * 1024);
}

TEST_F(MachineTest, RoundsAQuotaUp) {
  MountVersion2("/");
  Write("/sys/fs/cgroup/cpu.max", "250000 100000\n");
  EXPECT_EQ(ReadMachine(root_, Cpus(8)).cpus, 3);
  EXPECT_EQ(ReadMachine(root_, Cpus(2)).cpus, 2) << "affinity is the smaller one";
  Write("/sys/fs/cgroup/cpu.max", "1000 100000\n");
  EXPECT_EQ(ReadMachine(root_, Cpus(8)).cpus, 1);
  Write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(ReadMachine(root_, Cpus(8)).cpus, 8);
}

TEST_F(MachineTest, TakesTheTightestLimitOfAllGroupsAbove) {
  MountVersion2("/a/b");
  Write("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
  Write("/sys/fs/cgroup/a/b/cpu.max", "600000 100000\n");
  Write("/sys/fs/cgroup/a/memory.max", "max\n");
  Write("/sys/fs/cgroup/a/b/memory.max", "4194304\n");
  Write("/sys/fs/cgroup/other/memory.max", "1\n");
  const Machine machine = ReadMachine(root_, Cpus(8));
  EXPECT_EQ(machine.cpus, 2);
  EXPECT_EQ(machine.memory_bytes, 4194304);
}

TEST_F(MachineTest, ReadsVersion1) {
  Write("/proc/self/mountinfo",
        "30 23 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "31 23 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "32 23 0:28 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  Write("/proc/self/cgroup", "4:memory:/docker/abc\n3:cpuset:/\n2:cpu,cpuacct:/x\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "150000\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "50000\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "50000\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2097152\n");
  const Machine machine = ReadMachine(root_, Cpus(8));
  EXPECT_EQ(machine.cpus, 3);
  EXPECT_EQ(machine.memory_bytes, 2097152);
}

TEST_F(MachineTest, IgnoresVersion1LimitsAboveThePhysicalMemory) {
  Write("/proc/self/mountinfo", "32 23 0:28 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  Write("/proc/self/cgroup", "4:memory:/\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(ReadMachine(root_, Cpus(8)).memory_bytes, 16384 * 1024);
}

TEST_F(MachineTest, SurvivesFilesThatMakeNoSense) {
  Write("/proc/self/mountinfo", "nonsense\n- - -\n30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  Write("/proc/self/cgroup", "::\nx\n0::relative\n");
  Write("/sys/fs/cgroup/cpu.max", "many\n");
  Write("/sys/fs/cgroup/memory.max", "\n");
  Write("/proc/meminfo", "MemTotal: lots\n");
  const Machine machine = ReadMachine(root_, Cpus(4));
  EXPECT_EQ(machine.cpus, 4);
  EXPECT_EQ(machine.memory_bytes, 0);
  EXPECT_EQ(ReadMachine("/no/such/folder", Cpus(0)).cpus, 1);
}

TEST(AffinityTest, NamesTheCpusThisThreadMayUse) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(ReadAffinity().size(), static_cast<size_t>(CPU_COUNT(&before)));
  const int cpu = sched_getcpu();
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_THAT(ReadAffinity(), ElementsAre(cpu));
  sched_setaffinity(0, sizeof(before), &before);
}

TEST_F(MachineTest, CountsTheLimitOfItsAddressSpaceWithoutWhatIsOnlyReserved) {
  Write("/proc/meminfo", "MemTotal:       16777216 kB\n");
  EXPECT_EQ(ReadMachine(root_, Cpus(8), {.address_space_bytes = int64_t{2} << 30}).memory_bytes, int64_t{1536} << 20);
  EXPECT_EQ(ReadMachine(root_, Cpus(8), {.address_space_bytes = int64_t{400} << 20}).memory_bytes, int64_t{100} << 20);
  EXPECT_EQ(ReadMachine(root_, Cpus(8), {.address_space_bytes = int64_t{64} << 30}).memory_bytes, int64_t{16} << 30);
}

TEST_F(MachineTest, HasNoMoreCpusThanThreadsSufficeFor) {
  EXPECT_EQ(ReadMachine(root_, Cpus(8)).threads, 0);
  const Machine few = ReadMachine(root_, Cpus(8), {.user_threads = kOtherThreads + 7});
  EXPECT_EQ(few.threads, kOtherThreads + 7);
  EXPECT_EQ(few.cpus, 3);
  EXPECT_EQ(ReadMachine(root_, Cpus(8), {.user_threads = 10}).cpus, 1);
  EXPECT_EQ(ReadMachine(root_, Cpus(8), {.user_threads = 1000}).cpus, 8);
}

TEST_F(MachineTest, TakesWhatTheGroupsOfAllLevelsLeaveOfTheirThreads) {
  MountVersion2("/a/b");
  Write("/sys/fs/cgroup/a/pids.max", "100\n");
  Write("/sys/fs/cgroup/a/pids.current", "31\n");  // One of them is this process.
  Write("/sys/fs/cgroup/a/b/pids.max", "90\n");
  Write("/sys/fs/cgroup/a/b/pids.current", "1\n");
  EXPECT_EQ(ReadMachine(root_, Cpus(8)).threads, 70);
  EXPECT_EQ(ReadMachine(root_, Cpus(8), {.user_threads = 60}).threads, 60);
  Write("/sys/fs/cgroup/a/pids.max", "max\n");
  EXPECT_EQ(ReadMachine(root_, Cpus(8)).threads, 90);
  Write("/sys/fs/cgroup/a/b/pids.current", "200\n");
  EXPECT_EQ(ReadMachine(root_, Cpus(8)).threads, 1) << "as when the limit was lowered later";
}

TEST_F(MachineTest, ReadsThreadsOfVersion1) {
  Write("/proc/self/mountinfo", "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n");
  Write("/proc/self/cgroup", "8:pids:/x\n");
  Write("/sys/fs/cgroup/pids/x/pids.max", "50\n");
  Write("/sys/fs/cgroup/pids/x/pids.current", "1\n");
  EXPECT_EQ(ReadMachine(root_, Cpus(8)).threads, 50);
}

}  // namespace
}  // namespace hearwire
